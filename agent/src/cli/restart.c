/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor restart: a domain is shut down and started again, from the manifest. One that was stopped
 * starts.
 */
#include <errno.h>

#include "cli/life.h"
#include "kinds/domain.h"

int verb_restart(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "timeout", "operands", NULL};
	_cleanup_err_ struct err e = {0};
	const struct xen_facts *x;
	struct life l;
	int64_t domid = 0;
	int code, r = 0;

	if (life_begin(&l, argc, argv, accepts, &code) < 0)
		return code;
	x = xen_facts(l.facts);
	if (!x)
		r = err_set(&e, -EIO, "Xen could not be read: %s", facts_unknown(l.facts, "xen"));
	for (size_t i = 0; x && i < x->domains.n; i++) {
		const struct xen_domain *d = x->domains.items[i];

		if (streq(d->mark_uuid, l.domain->uuid))
			domid = d->domid;
	}
	if (r == 0)
		r = intent_start(&l.who, &e);
	if (r == 0 && domid)
		r = intent_restart(&l.who, domid, l.o.timeout > 0 ? (uint64_t)l.o.timeout : 0, &e);
	if (r < 0)
		return life_fail(&l, argv[0], &e);
	return life_end(&l);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor restart: a domain is shut down and started again, from the manifest. One that was stopped
 * starts.
 */
#include "cli/life.h"
#include "kinds/domain.h"

int verb_restart(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "timeout", "operands", NULL};
	_cleanup_err_ struct err e = {0};
	const struct xen_domain *d;
	struct life l;
	int code, r;

	if (life_begin(&l, argc, argv, accepts, &code) < 0)
		return code;
	r = life_xen(&l, &d, &e);
	if (r == 0)
		r = intent_start(&l.who, &e);
	if (r == 0 && d)
		r = intent_restart(&l.who, d->domid, l.o.timeout, &e);
	if (r < 0)
		return life_fail(&l, argv[0], &e);
	return life_end(&l);
}

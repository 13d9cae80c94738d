/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor start: a domain that was stopped, by hand or from inside, runs again.
 */
#include "cli/life.h"
#include "kinds/domain.h"

int verb_start(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "operands", NULL};
	_cleanup_err_ struct err e = {0};
	const struct xen_domain *d;
	struct life l;
	int code, r;

	if (life_begin(&l, argc, argv, accepts, &code) < 0)
		return code;
	r = life_xen(&l, &d, &e);
	if (r == 0)
		r = intent_start(&l.who, &e);
	/* The husk of one that ended by itself would be settled, and stay off. */
	if (r == 0 && d && d->state == XEN_SHUTDOWN)
		r = intent_restart(&l.who, d->domid, INTENT_TIMEOUT_LEFT, &e);
	if (r < 0)
		return life_fail(&l, argv[0], &e);
	return life_end(&l);
}

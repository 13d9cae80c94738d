/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor start: a domain that was stopped, by hand or from inside, runs again.
 */
#include "cli/life.h"
#include "kinds/domain.h"

static int intend(const struct life *l, struct err *e)
{
	const struct xen_domain *d;
	int r = life_may_run(l, e);

	if (r == 0)
		r = life_xen(l, &d, e);
	if (r == 0)
		r = intent_start(&l->who, e);
	/* The husk of one that ended by itself would be settled, and stay off. */
	if (r == 0 && d && d->state == XEN_SHUTDOWN)
		r = intent_restart(&l->who, d->domid, INTENT_TIMEOUT_LEFT, e);
	return r;
}

int verb_start(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "operands", NULL};

	return life_run(argc, argv, accepts, intend);
}

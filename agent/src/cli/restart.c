/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor restart: a domain is shut down and started again, from the manifest. One that was stopped
 * starts.
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
	if (r == 0 && d)
		r = intent_restart(&l->who, d->domid, l->o.timeout, e);
	return r;
}

int verb_restart(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "timeout", "operands", NULL};

	return life_run(argc, argv, accepts, intend);
}

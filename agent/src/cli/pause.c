/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor pause: a domain stops where it is, with all that it has in memory, until `manor unpause`.
 */
#include <errno.h>

#include "cli/life.h"
#include "kinds/domain.h"

static int intend(const struct life *l, struct err *e)
{
	const struct xen_domain *d;
	int r = life_xen(l, &d, e);

	if (r < 0)
		return r;
	if (!d || (d->state != XEN_RUNNING && d->state != XEN_PAUSED))
		return err_set(e, -ESRCH, "it doesn't run");
	return intent_pause(&l->who, d->domid, e);
}

int verb_pause(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "operands", NULL};

	return life_run(argc, argv, accepts, intend);
}

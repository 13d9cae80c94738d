/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor unpause: a domain that was paused by hand, by `manor pause` or otherwise, goes on.
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
	if (((const struct domain *)l->domain->record)->state == STATE_PAUSED) {
		err_help(e, "say 'state: running' there, or nothing, and apply it");
		return err_set(e, -EPERM, "its manifest says 'state: paused'");
	}
	/* A mark says what Manor has paused it for, and the plan when that is over. */
	return intent_unpause(&l->who, d && d->state == XEN_PAUSED && !d->paused_for ? d->domid : 0,
			      e);
}

int verb_unpause(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "operands", NULL};

	return life_run(argc, argv, accepts, intend);
}

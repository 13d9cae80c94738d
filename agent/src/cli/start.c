/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor start: a domain that was stopped, by hand or from inside, runs again; one that was saved goes on, or with
 * --discard-saved starts anew.
 */
#include <errno.h>
#include <stdio.h>

#include "cli/life.h"
#include "kinds/domain.h"

/* A person is asked; a script says --yes. */
static bool confirmed(const struct life *l)
{
	char line[16];

	if (l->o.yes)
		return true;
	fprintf(stderr, "domain/%s starts anew: WHAT IT HAD IN MEMORY WHEN IT WAS SAVED IS LOST\n",
		l->domain->name);
	if (!isatty(STDIN_FILENO)) {
		fprintf(stderr, "manor start: say --yes to have it done\n");
		return false;
	}
	fprintf(stderr, "Discard it? [y/N] ");
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static int intend(const struct life *l, struct err *e)
{
	const struct xen_domain *d;
	int r = life_may_run(l, e);

	if (r == 0)
		r = life_xen(l, &d, e);
	if (r == 0 && !d && l->o.discard_saved &&
	    streq(domain_absent_word(l->facts, l->domain), "saved"))
		return confirmed(l) ? intent_discard(&l->who, e)
				    : err_set(e, -ECANCELED, "nothing was changed");
	if (r == 0)
		r = intent_start(&l->who, e);
	/* The husk of one that ended by itself would be settled, and stay off. */
	if (r == 0 && d && d->state == XEN_SHUTDOWN)
		r = intent_restart(&l->who, d->domid, INTENT_TIMEOUT_LEFT, e);
	return r;
}

int verb_start(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format",   "discard-saved",
					      "yes",  "operands", NULL};

	return life_run(argc, argv, accepts, intend);
}

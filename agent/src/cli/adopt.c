/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor adopt: a domain that others made, and that the manifest describes as it is, becomes Manor's as it runs.
 */
#include <errno.h>
#include <stdio.h>

#include "cli/life.h"
#include "engine/planner.h"
#include "kinds/domain.h"
#include "kinds/kinds.h"

static int intend(const struct life *l, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	const struct actual *foreign;
	const struct xen_domain *d;
	struct survey all;
	const char *why;
	int r = life_xen(l, &d, e);

	if (r < 0 || d)
		return r; /* it is ours: nothing to do, as will be said */
	survey_make(a, l->manifest, l->facts, &all);
	foreign = survey_find(&all, &kind_domain, l->domain->name, true);
	if (!foreign) {
		err_help(e,
			 "the manifest's 'uuid' says which one is meant: `manor export` tells it");
		return err_set(e, -ESRCH, "there is no domain of others that it could be");
	}
	why = domain_unadoptable(a, l->facts, l->manifest, l->domain, foreign);
	if (why)
		return err_set(e, -EEXIST, "%s", why);
	return intent_adopt(&l->who, ((const struct xen_domain *)foreign->data)->domid, e);
}

/* False, having said so, for what can't be taken over. */
static bool is_domain(const char *operand)
{
	const char *slash = strchr(operand, '/');

	if (!slash || startswith(operand, "domain/"))
		return true;
	fprintf(stderr, "manor adopt: %s: only domains can be taken over; %s\n", operand,
		startswith(operand, "bridge/")
			? "a bridge of others' that is as the manifest says is used as it is"
			: "what others made stays theirs");
	return false;
}

int verb_adopt(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "operands", NULL};

	for (int i = 1; i < argc; i++)
		if (argv[i][0] != '-' && !streq(argv[i - 1], "-f") &&
		    !streq(argv[i - 1], "--file") && !is_domain(argv[i]))
			return EXIT_BAD;
	return life_run(argc, argv, accepts, intend);
}

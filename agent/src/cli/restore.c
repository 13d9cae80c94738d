/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor restore: a domain that was saved goes on where it was.
 */
#include <errno.h>

#include "cli/life.h"
#include "kinds/domain.h"

static int intend(const struct life *l, struct err *e)
{
	const struct xen_domain *d;
	int r = life_may_run(l, e);

	if (r == 0)
		r = life_xen(l, &d, e);
	if (r < 0)
		return r;
	if (d)
		return err_set(e, -EEXIST, "it is there: nothing is to be restored");
	if (!streq(domain_absent_word(l->facts, l->domain), "saved")) {
		err_help(e, "`manor start %s` starts it", l->domain->name);
		return err_set(e, -ENOENT, "nothing is saved of it");
	}
	return intent_start(&l->who, e);
}

int verb_restore(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "operands", NULL};

	return life_run(argc, argv, accepts, intend);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor rebuild: a domain that is behind its template gets new clones. What was on the old ones is put
 * aside, so it is asked for by name and confirmed.
 */
#include <errno.h>
#include <stdio.h>

#include "cli/life.h"
#include "kinds/disk_file.h"
#include "kinds/domain.h"
#include "kinds/kinds.h"
#include "kinds/volume.h"

static bool clone_behind(const struct life *l, const struct resource *r)
{
	return r->kind == &kind_volume ? volume_behind(l->facts, r)
	       : r->kind == &kind_file ? disk_file_behind(l->facts, r)
				       : false;
}

/* Whether any of its clones comes from an older file. */
static bool is_behind(const struct life *l)
{
	const struct resource *d = l->domain;

	for (size_t i = 0; i < d->n_needs; i++)
		if (clone_behind(l, d->needs[i]))
			return true;
	return false;
}

/* A person is asked; a script says --yes, for what is on the disks goes. */
static bool confirmed(const struct life *l)
{
	char line[16];

	if (l->o.yes)
		return true;
	fprintf(stderr, "domain/%s stops, and these of its disks are cloned anew:\n",
		l->domain->name);
	for (size_t i = 0; i < l->domain->n_needs; i++) {
		const struct resource *v = l->domain->needs[i];

		if (clone_behind(l, v))
			fprintf(stderr, "  %s/%s  WHAT IS ON IT GOES (kept %s)\n", v->kind->name,
				v->name,
				v->kind == &kind_volume ? "as a tombstone"
							: "beside it, under another name");
	}
	if (!isatty(STDIN_FILENO)) {
		fprintf(stderr, "manor rebuild: say --yes to have it done\n");
		return false;
	}
	fprintf(stderr, "Rebuild? [y/N] ");
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static int intend(const struct life *l, struct err *e)
{
	if (facts_unknown(l->facts, "lvm"))
		return err_set(e, -EIO, "LVM could not be read: %s",
			       facts_unknown(l->facts, "lvm"));
	if (!is_behind(l)) /* or was cut off after the clones were made: that is gone on with */
		return 0;
	if (life_may_run(l, e) < 0) /* it would start at the end */
		return -EPERM;
	if (streq(domain_absent_word(l->facts, l->domain), "saved")) {
		err_help(e, "`manor restore %s` first, or `manor start %s --discard-saved`",
			 l->domain->name, l->domain->name);
		return err_set(e, -EBUSY, "it is saved, and goes on with the disks that it has");
	}
	if (!confirmed(l))
		return err_set(e, -ECANCELED, "nothing was changed");
	return intent_rebuild(&l->who, e);
}

int verb_rebuild(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "yes", "operands", NULL};

	return life_run(argc, argv, accepts, intend);
}

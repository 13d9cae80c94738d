/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One resource of a file, beside what is in force.
 */
#include "engine/only.h"

#include "base/str.h"
#include "engine/store.h"

#define OTHERS_NAMED 4

/* Steps of the whole file beside those of `p`, that the agent would take without being told. */
static size_t others(const struct plan *p, const struct plan *whole, char **ret_names)
{
	_cleanup_str_ struct str names = {0};
	size_t n = 0;

	for (size_t i = 0; i < whole->n; i++) {
		const struct step *s = &whole->steps[i];
		bool asked = s->impact > IMPACT_LIVE;

		for (size_t j = 0; !asked && j < p->n; j++)
			asked = streq(p->steps[j].id, s->id);
		if (asked)
			continue;
		if (++n <= OTHERS_NAMED)
			str_addf(&names, "%s%s/%s", n > 1 ? ", " : "", s->kind->name, s->name);
		else if (n == OTHERS_NAMED + 1)
			str_add(&names, ", …");
	}
	*ret_names = xstrdup(str_get(&names));
	return n;
}

bool only_is_part(struct plan *p, const struct manifest *m, const struct facts *f,
		  const struct plan_options *o)
{
	struct plan_options all = *o;
	struct diags *d = diags_new();
	_cleanup_plan_ struct plan *whole = NULL;
	_cleanup_manifest_ struct manifest *force = NULL;
	_cleanup_(freep) char *names = NULL;
	struct who who = facts_who(f);

	if (store_load_manifest(&who, m->kinds, d, &force, NULL) < 0) {
		diags_free(d);
		return true;
	}
	if (streq(force->digest, m->digest))
		return false;
	all.only = NULL;
	whole = plan_make(m, f, &all);
	if (others(p, whole, &names) == 0)
		return false;
	if (!p->refusal) {
		p->refusal = arena_printf(
			p->arena,
			"%s is not the manifest in force, and %s is not all that it changes: %s "
			"too; the agent, which goes by %s, would undo it",
			m->source.name, o->only, names, force->source.name);
		p->refusal_help = arena_printf(p->arena,
					       "apply it as a whole, or make this one change in "
					       "%s and apply that",
					       force->source.name);
	}
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The plan for a host that goes down.
 */
#include "engine/rest.h"

#include "engine/graph.h"
#include "engine/planner.h"

#define REST_TIMEOUT_S                                                                             \
	3600 /* each asks its guest for as long as the manifest says, and then ends it */

static bool needs(const struct resource *r, const struct resource *other)
{
	for (size_t i = 0; i < r->n_needs; i++)
		if (r->needs[i] == other || needs(r->needs[i], other))
			return true;
	return false;
}

struct plan *plan_rest(const struct manifest *m, const struct facts *f, const struct kind *k,
		       bool plainly)
{
	struct plan *p = plan_new();
	struct survey survey;
	size_t kind = 0;

	p->host = m->host.name ? m->host.name : f->hostname ? f->hostname : "this host";
	survey_make(p->arena, m, f, &survey);
	while (m->kinds[kind] && m->kinds[kind] != k)
		kind++;
	if (!m->kinds[kind] || survey.unknown[kind]) {
		p->refusal = m->kinds[kind] ? survey.unknown[kind] : "there is no such kind";
		return p;
	}
	for (size_t i = 0; i < survey.kinds[kind].n; i++) {
		const struct actual *have = &survey.kinds[kind].list[i];
		struct step *s;

		if (have->foreign)
			continue;
		s = plan_add(p, ACTION_STOP, k, have->name, have->uuid);
		s->want = manifest_find(m, k->name, have->name);
		s->want_record = s->want ? s->want->record : NULL;
		s->have_record = have->record;
		s->half_made = have->half_made;
		s->impact = IMPACT_LIVE;
		s->timeout_s = REST_TIMEOUT_S;
		s->why = plainly ? "the host goes down; it could not end as it was to"
				 : "the host goes down";
		if (s->want && k->rest && !plainly)
			k->rest(p->arena, f, m, have, s);
	}
	/* One that doesn't end keeps nobody: the power goes anyhow. */
	for (size_t i = 0; i < p->n; i++)
		for (size_t j = 0; j < p->n; j++)
			if (p->steps[i].want && p->steps[j].want &&
			    needs(p->steps[j].want, p->steps[i].want))
				step_after(p, &p->steps[i], j, false);
	graph_sort(p, NULL);
	return p;
}

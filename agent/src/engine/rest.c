/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The plan for a host that goes down.
 */
#include "engine/rest.h"

#include "engine/graph.h"
#include "engine/planner.h"

#define REST_TIMEOUT_S                                                                             \
	3600 /* each asks its guest for as long as the manifest says, and then ends it */

struct place {
	const struct resource *resource;
	size_t step; /* its number and one; 0: it has none */
	size_t seen; /* for whose sake it was looked at last: likewise */
};

static struct place *place_of(const struct index *places, const struct resource *r)
{
	return index_find(places, r->kind->name, r->name);
}

/* Who needs something, however far away, ends before it. Each is looked at once for each step: of layers that need all of
 * the one below there are more ways down than anybody can go. One that doesn't end keeps nobody: the power goes anyhow. */
static void order(struct plan *p, const struct manifest *m)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct place *all = arena_alloc(a, (m->n_resources + 1) * sizeof(*all));
	struct place **stack = arena_alloc(a, (m->n_resources + 1) * sizeof(*stack));
	struct index places = {0};

	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];

		all[i] = (struct place){.resource = r};
		index_add(a, &places, r->kind->name, r->name, &all[i]);
	}
	for (size_t i = 0; i < p->n; i++)
		if (p->steps[i].want)
			place_of(&places, p->steps[i].want)->step = i + 1;
	for (size_t i = 0; i < p->n; i++) {
		size_t n = 0;

		if (p->steps[i].want)
			stack[n++] = place_of(&places, p->steps[i].want);
		while (n > 0) {
			const struct resource *r = stack[--n]->resource;

			for (size_t k = 0; k < r->n_needs; k++) {
				struct place *other = place_of(&places, r->needs[k]);

				if (!other || other->seen == i + 1)
					continue;
				other->seen = i + 1;
				stack[n++] = other;
				if (other->step)
					step_after_new(p, &p->steps[other->step - 1], i, false);
			}
		}
	}
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
	order(p, m);
	graph_sort(p, NULL);
	return p;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is wanted beside what is: the steps between them, their order, and what holds them back.
 */
#include "engine/planner.h"

#include <stdio.h>

#include "engine/graph.h"
#include "engine/order.h"

/* So few removals are never "too large a share": a domain and its disks on a small host. */
#define REMOVALS_ALWAYS_FINE 3

struct planner {
	struct plan *plan;
	const struct manifest *manifest;
	const struct facts *facts;
	struct survey survey;
	struct planning planning; /* the kinds' view of this */
};

static size_t kind_index(const struct manifest *m, const struct kind *k)
{
	size_t i = 0;

	while (m->kinds[i] && m->kinds[i] != k)
		i++;
	return i;
}

void survey_make(struct arena *a, const struct manifest *m, const struct facts *f,
		 struct survey *ret)
{
	size_t n = kind_index(m, NULL);

	*ret = (struct survey){0};
	ret->kinds = arena_alloc(a, (n + 1) * sizeof(*ret->kinds));
	ret->unknown = arena_alloc(a, (n + 1) * sizeof(*ret->unknown));
	for (size_t i = 0; i < n; i++) {
		const struct kind *k = m->kinds[i];

		for (size_t j = 0; k->readers[j] && !ret->unknown[i]; j++) {
			const char *why = facts_unknown(f, k->readers[j]);

			if (why)
				ret->unknown[i] =
					arena_printf(a, "cannot read %s: %s", k->readers[j], why);
		}
		if (!ret->unknown[i])
			k->actual(a, f, m, &ret->kinds[i]);
		for (size_t j = 0; j < ret->kinds[i].n; j++) {
			const struct actual *x = &ret->kinds[i].list[j];

			index_add(a, x->foreign ? &ret->foreign : &ret->ours, k->name, x->name, x);
		}
	}
}

const struct actual *survey_find(const struct survey *s, const struct kind *k, const char *name,
				 bool foreign)
{
	return index_find(foreign ? &s->foreign : &s->ours, k->name, name);
}

static void *wanted(struct planner *p, const struct resource *want)
{
	const struct kind *k = want->kind;

	if (!k->wanted)
		return want->record;
	return (void *)k->wanted(p->plan->arena, p->facts, p->manifest, want);
}

static struct step *add(struct planner *p, enum action action, const struct resource *want,
			const struct actual *have, const struct kind *k, const char *name,
			const char *uuid)
{
	struct step *s = plan_add(p->plan, action, k, name, uuid);

	s->want = want;
	s->want_record = want ? wanted(p, want) : NULL;
	s->have_record = have ? have->record : NULL;
	s->half_made = have && have->half_made;
	return s;
}

/* After decide() has looked at a step, the plan may have grown: the index stays valid. */
static void decide(struct planner *p, const struct resource *want, const struct actual *have,
		   struct step *step)
{
	const struct kind *k = want ? want->kind : have->kind;
	size_t before = p->plan->n;

	if (!k->decide)
		return;
	k->decide(&p->planning, want, have, step);
	for (size_t i = before; i < p->plan->n; i++) {
		struct step *s = &p->plan->steps[i];

		if (!s->want && want && s->action != ACTION_REMOVE) {
			s->want = want;
			if (!s->want_record)
				s->want_record = wanted(p, want);
		}
		if (!s->have_record && have)
			s->have_record = have->record;
	}
}

/* A digest within it, as its first digits: "/var/lib/manor/cache/0123456789ab…". */
static const char *brief(struct arena *a, const char *text)
{
	for (const char *s = text; s && *s; s++) {
		size_t n = strspn(s, "0123456789abcdef");

		if (n == SHA256_TEXT - 1)
			return arena_printf(a, "%.*s%.12s…%s", (int)(s - text), text, s, s + n);
		s += n ? n - 1 : 0;
	}
	return text;
}

static const char *change_words(struct arena *a, const struct changes *c)
{
	const char *text = NULL;

	for (size_t i = 0; i < c->n; i++) {
		const struct change *x = &c->list[i];
		const char *one;

		if (!x->new_text)
			one = arena_printf(a, "%s: goes", x->path);
		else if (!x->old_text)
			one = arena_printf(a, "%s: %s", x->path, brief(a, x->new_text));
		else
			one = arena_printf(a, "%s: %s → %s", x->path, brief(a, x->old_text),
					   brief(a, x->new_text));
		text = text ? arena_printf(a, "%s, %s", text, one) : one;
	}
	return text;
}

/* The changes of one class of impact become one step. */
static void add_changes(struct planner *p, const struct resource *want, const struct actual *have,
			const struct changes *all, enum impact from, enum impact to)
{
	struct arena *a = p->plan->arena;
	struct changes some = {0};
	struct step *s;

	for (size_t i = 0; i < all->n; i++) {
		if (all->list[i].impact < from || all->list[i].impact > to)
			continue;
		some.list = arena_grow(a, some.list, some.n, sizeof(*some.list));
		some.list[some.n++] = all->list[i];
	}
	if (some.n == 0)
		return;
	s = add(p, from == IMPACT_GUEST_RESTART ? ACTION_RESTART : ACTION_UPDATE, want, have,
		want->kind, want->name, want->uuid);
	s->changes = some;
	s->impact = changes_worst(&some);
	s->why = change_words(a, &some);
	if (s->impact >= IMPACT_HOST_REBOOT)
		s->id = arena_printf(a, "%s:%s", s->id, impact_words[s->impact]);
	decide(p, want, have, s);
}

static void compare(struct planner *p, const struct resource *want, const struct actual *have)
{
	struct arena *a = p->plan->arena;
	size_t before = p->plan->n;
	struct changes all;

	record_diff(a, want->kind->table, wanted(p, want), have->record, p->facts, &all);
	add_changes(p, want, have, &all, IMPACT_NONE, IMPACT_LIVE);
	add_changes(p, want, have, &all, IMPACT_GUEST_RESTART, IMPACT_GUEST_RECREATE);
	add_changes(p, want, have, &all, IMPACT_HOST_REBOOT, IMPACT_HOST_REBOOT);
	add_changes(p, want, have, &all, IMPACT_DATA_LOSS, IMPACT_DATA_LOSS);
	if (p->plan->n == before)
		decide(p, want, have, NULL);
}

/* Something foreign is where it would be made; true: its kind has said what that means. */
static bool meet(struct planner *p, const struct resource *want, const struct actual *foreign,
		 struct step *s)
{
	const struct kind *k = want->kind;
	struct changes diff;

	if (k->meet) {
		record_diff(p->plan->arena, k->table, s->want_record, foreign->record, p->facts,
			    &diff);
		s->have_record = foreign->record;
		k->meet(&p->planning, want, foreign, &diff, s);
		return true;
	}
	step_hold(s, HOLD_CONFLICT,
		  foreign->note ? foreign->note
				: arena_printf(p->plan->arena,
					       "a foreign %s of that name is there: "
					       "rename one of the two, or remove it by hand",
					       k->name));
	return false;
}

static void want_one(struct planner *p, const struct resource *want)
{
	const struct kind *k = want->kind;
	const char *unknown = p->survey.unknown[kind_index(p->manifest, k)];
	const struct actual *have, *foreign;
	struct step *s;

	if (unknown) {
		s = add(p, ACTION_UPDATE, want, NULL, k, want->name, want->uuid);
		s->why = "not known";
		step_hold(s, HOLD_UNKNOWN, unknown);
		return;
	}
	have = survey_find(&p->survey, k, want->name, false);
	foreign = have ? NULL : survey_find(&p->survey, k, want->name, true);
	if (have && !have->half_made) {
		compare(p, want, have);
		return;
	}
	s = add(p, ACTION_CREATE, want, have, k, want->name, want->uuid);
	s->impact = IMPACT_LIVE;
	if (have)
		s->why = "half-made: to be cleared away and made again";
	if (!foreign || !meet(p, want, foreign, s))
		decide(p, want, have, s);
}

static void remove_rest(struct planner *p)
{
	const struct manifest *m = p->manifest;
	size_t ours = 0, removals = 0, before = p->plan->n;
	struct arena *a = p->plan->arena;

	for (size_t k = 0; m->kinds[k]; k++) {
		const struct actuals *l = &p->survey.kinds[k];

		for (size_t i = 0; i < l->n; i++) {
			const struct actual *have = &l->list[i];
			const char *subject =
				arena_printf(a, "%s/%s", m->kinds[k]->name, have->name);
			struct step *s;

			if (have->foreign && m->kinds[k]->meet &&
			    manifest_find(m, m->kinds[k]->name, have->name))
				continue; /* which says what is to be said */
			if (have->foreign) {
				plan_note(p->plan, NOTE_FOREIGN, subject,
					  have->note ? have->note : "foreign");
				continue;
			}
			ours++;
			if (manifest_find(m, m->kinds[k]->name, have->name))
				continue;
			if (have->keep) {
				plan_note(p->plan, NOTE_KEPT, subject,
					  have->note ? have->note : "kept");
				continue;
			}
			s = add(p, ACTION_REMOVE, NULL, have, m->kinds[k], have->name, have->uuid);
			s->impact = IMPACT_LIVE;
			s->why = "no longer in the manifest";
			decide(p, NULL, have, s);
		}
	}
	for (size_t i = before; i < p->plan->n; i++)
		removals +=
			p->plan->steps[i].action == ACTION_REMOVE && step_todo(&p->plan->steps[i]);
	if (removals && m->n_resources == 0) {
		p->plan->refusal = "the manifest declares nothing, and this host has "
				   "resources that Manor made";
		p->plan->refusal_help = "if they shall go, remove them in steps, or set "
					"max_removals: 100 and keep one resource";
	} else if ((removals > REMOVALS_ALWAYS_FINE || m->max_removals_given) &&
		   removals * 100 > ours * (size_t)m->max_removals) {
		p->plan->refusal = arena_printf(
			a,
			"the manifest would remove %zu of the %zu resources that Manor made here, "
			"more than %lld %%",
			removals, ours, (long long)m->max_removals);
		p->plan->refusal_help =
			m->max_removals_given
				? "if that is meant, raise max_removals: in the manifest"
				: "if that is meant, set max_removals: in the manifest";
	}
}

/* With another namespace all that Manor made here is foreign: nothing would work, and the manifest that
 * does would be displaced. */
static void refuse_other_namespace(struct planner *p)
{
	const struct manifest *m = p->manifest;
	const struct actual *first = NULL;
	size_t ours = 0, n = 0;

	for (size_t k = 0; m->kinds[k]; k++) {
		const struct actuals *l = &p->survey.kinds[k];

		for (size_t i = 0; i < l->n; i++) {
			const struct actual *x = &l->list[i];

			ours += !x->foreign && !x->common;
			if (!x->foreign || !x->uuid || !manifest_find(m, x->kind->name, x->name))
				continue;
			first = first ? first : x;
			n++;
		}
	}
	if (ours || n == 0)
		return;
	p->plan->refusal = arena_printf(p->plan->arena,
					"%s/%s%s on this host bears the mark of another namespace "
					"than %s",
					first->kind->name, first->name, n > 1 ? " and more" : "",
					m->namespace);
	p->plan->refusal_help = "the namespace is written once: put back the one that this host "
				"was made with";
}

static void note_unknown(struct planner *p)
{
	for (size_t i = 0; i < p->facts->n; i++) {
		const struct reading *r = &p->facts->readings[i];

		if (!r->known)
			plan_note(p->plan, NOTE_UNKNOWN, r->reader->name, r->why);
	}
}

/* Leave that is given for one resource holds for what it implies, and for nobody it merely needs. */
static bool is_meant(const struct step *s, const char *only)
{
	const char *name = only ? strchr(only, '/') : NULL;
	size_t n = name ? strlen(name + 1) : 0;

	return !name ||
	       (strncmp(s->name, name + 1, n) == 0 && (s->name[n] == '\0' || s->name[n] == '.'));
}

static void hold_back(struct planner *p, enum impact wide, const char *only)
{
	struct plan *plan = p->plan;

	for (size_t i = 0; i < plan->n; i++) {
		struct step *s = &plan->steps[i];
		enum impact allowed = is_meant(s, only) ? wide : MIN_OF(wide, IMPACT_LIVE);

		if (s->impact > allowed)
			step_hold(s, HOLD_IMPACT,
				  arena_printf(plan->arena, "not allowed: say --allow %s",
					       impact_words[s->impact]));
		for (size_t j = 0; j < s->n_after; j++) {
			const struct step *other = &plan->steps[s->after[j].step];

			if (s->after[j].required && !step_todo(other))
				step_hold(s, HOLD_NEEDS,
					  arena_printf(plan->arena, "needs %s/%s",
						       other->kind->name, other->name));
		}
	}
}

/* What is made for those who start with it stays where it is until one does: held as that one is, and as if it weren't
 * there where none is to start. What is half-made has left its place already. */
static void hold_unused(struct plan *plan)
{
	_cleanup_(freep) const struct step **user = xcalloc(plan->n + 1, sizeof(*user));

	for (size_t i = 0; i < plan->n; i++) {
		const struct step *s = &plan->steps[i];

		for (size_t j = 0; step_starts(s) && j < s->n_after; j++) {
			const struct step **u = &user[s->after[j].step];

			if (!*u || step_todo(s))
				*u = s;
		}
	}
	for (size_t i = 0; i < plan->n; i++) {
		struct step *s = &plan->steps[i];
		const struct step *u = user[i];

		if (!s->kind->for_starts || s->action != ACTION_CREATE || s->half_made)
			continue;
		if (!u)
			step_drop(s);
		else if (!step_todo(u))
			step_hold(s, HOLD_NEEDS,
				  arena_printf(plan->arena, "taken with the %s of %s/%s",
					       u->action == ACTION_RESTART ? "restart" : "start",
					       u->kind->name, u->name));
	}
}

/* What decide() dropped is as if it had never been there. */
static void take_out_dropped(struct plan *plan)
{
	_cleanup_(freep) bool *keep = xcalloc(plan->n + 1, sizeof(*keep));
	size_t dropped = 0;

	for (size_t i = 0; i < plan->n; i++) {
		keep[i] = !plan->steps[i].dropped;
		dropped += plan->steps[i].dropped;
	}
	if (dropped)
		graph_sort(plan, keep);
}

static bool is_called(const char *id, const struct kind *k, const char *name)
{
	size_t n = strlen(k->name);

	return startswith(id, k->name) && id[n] == '/' && streq(id + n + 1, name);
}

/* Of one resource and what that needs; the rest is as if it weren't there. */
static void keep_only(struct planner *p, const char *only)
{
	struct plan *plan = p->plan;
	_cleanup_(freep) bool *keep = xcalloc(plan->n + 1, sizeof(*keep));
	bool known = false;

	for (size_t i = 0; i < p->manifest->n_resources; i++) {
		const struct resource *r = p->manifest->resources[i];

		known |= is_called(only, r->kind, r->name);
	}
	for (size_t i = 0; i < plan->n; i++) {
		keep[i] = is_called(only, plan->steps[i].kind, plan->steps[i].name);
		known |= keep[i];
	}
	if (!known) {
		plan->refusal = arena_printf(plan->arena,
					     "there is no %s, neither in the manifest "
					     "nor to be removed",
					     only);
		plan->refusal_help = "--only takes a resource as plan shows it, such as domain/web";
	}
	/* Sorted, so what a step needs stands before it. */
	for (size_t i = plan->n; i-- > 0;)
		for (size_t j = 0; keep[i] && j < plan->steps[i].n_after; j++)
			keep[plan->steps[i].after[j].step] |= plan->steps[i].after[j].required;
	graph_sort(plan, keep);
}

struct plan *plan_make(const struct manifest *m, const struct facts *f,
		       const struct plan_options *o)
{
	struct planner p = {.plan = plan_new(), .manifest = m, .facts = f};
	struct plan *plan = p.plan;

	plan->allowed = o->allowed;
	plan->n_resources = m->n_resources;
	plan->host = m->host.name ? m->host.name : f->hostname ? f->hostname : "this host";
	snprintf(plan->manifest_sha256, sizeof(plan->manifest_sha256), "%s", m->sha256);
	p.planning = (struct planning){
		.arena = plan->arena,
		.manifest = m,
		.facts = f,
		.plan = plan,
	};
	survey_make(plan->arena, m, f, &p.survey);
	note_unknown(&p);
	remove_rest(&p);
	refuse_other_namespace(&p);
	for (size_t i = 0; i < m->n_resources; i++)
		want_one(&p, m->resources[i]);
	for (size_t k = 0; m->kinds[k]; k++)
		if (m->kinds[k]->share)
			m->kinds[k]->share(&p.planning);
	take_out_dropped(plan);
	order_steps(&p.planning, &p.survey);
	if (graph_sort(plan, NULL) < 0)
		plan->refusal = "the steps wait for each other in a circle"; /* a bug of ours */
	hold_back(&p, o->allowed, o->only);
	hold_unused(plan);
	take_out_dropped(plan);
	if (o->only)
		keep_only(&p, o->only);
	return plan;
}

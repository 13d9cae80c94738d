/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What waits for what. With thousands of steps each finds those it is about by name.
 */
#include "engine/order.h"

#include "engine/graph.h"

struct order {
	struct planning *planning;
	struct plan *plan;
	const struct manifest *manifest;
	const struct facts *facts;
	const struct survey *survey;
};

static size_t number(const struct plan *p, const struct step *s)
{
	return (size_t)(s - p->steps);
}

static int by_number(const void *a, const void *b)
{
	const struct step_dep *x = a, *y = b;

	return x->step < y->step ? -1 : x->step > y->step;
}

/* To end something takes nothing but the thing itself. */
static bool needs_nothing(const struct step *s)
{
	return s->action == ACTION_STOP || s->action == ACTION_SETTLE ||
	       s->action == ACTION_PAUSE || s->action == ACTION_RESUME ||
	       s->action == ACTION_SAVE || s->action == ACTION_AWAIT || s->action == ACTION_ADOPT ||
	       s->action == ACTION_FORGET;
}

static bool is_met(const struct order *o, const struct step *s, const struct resource *other)
{
	return s->kind->met && s->action != ACTION_REBUILD &&
	       s->kind->met(o->facts, s->want, s->want_record, other);
}

/* Without it, whoever needs what it is about can't be judged or made. */
static bool is_required(const struct step *s)
{
	return s->action == ACTION_CREATE || s->action == ACTION_START ||
	       s->action == ACTION_RESTORE || s->hold == HOLD_NO || s->hold == HOLD_UNKNOWN ||
	       s->hold == HOLD_CONFLICT;
}

/* A step waits for those of what its resource needs; those that make it, or can't be judged, stop it. What goes on
 * needn't wait until another is ready; what is started does. */
static void link_needs(struct order *o)
{
	struct plan *p = o->plan;
	_cleanup_arena_ struct arena *a = arena_new();
	struct index steps = {0}; /* by the resource that wants them */
	const struct index_entry *e;

	for (size_t i = 0; i < p->n; i++) {
		const struct resource *want = p->steps[i].want;

		if (want)
			index_add(a, &steps, want->kind->name, want->name, &p->steps[i]);
	}
	for (size_t i = 0; i < p->n; i++) {
		struct step *s = &p->steps[i];
		const struct resource *want = s->want;
		size_t before = s->n_after; /* the kind's own */

		if (!want)
			continue;
		/* Of one resource: in the order in which they were found. */
		e = index_first(&steps, want->kind->name, want->name);
		for (; e && e->item != s; e = index_next(e))
			step_after(p, s, number(p, e->item), false);
		for (size_t n = 0; n < want->n_needs && !needs_nothing(s); n++) {
			const struct resource *other = want->needs[n];
			bool met = is_met(o, s, other);

			e = index_first(&steps, other->kind->name, other->name);
			for (; e; e = index_next(e)) {
				const struct step *first = e->item;

				if (!step_starts(s) &&
				    (first->action == ACTION_AWAIT || first->kind->for_starts))
					continue;
				/* Of what is there already only the order counts, and not that of an
				 * import, which may take hours. */
				if (!met || !first->aside)
					step_after(p, s, number(p, first),
						   !met && is_required(first));
			}
		}
		if (s->n_after > before)
			qsort(s->after + before, s->n_after - before, sizeof(*s->after), by_number);
	}
}

static bool is_removal(const struct step *s)
{
	return s->action == ACTION_REMOVE;
}

/* Whether records of that table can name a resource of that kind. */
static bool refers(const struct table *t, const char *kind)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct field *f = &t->fields[i];

		/* A part that merges elsewhere uses nothing by itself. */
		if (f->flags & FIELD_PARTIAL)
			continue;
		if (streq(f->ref, kind) || (f->sub && refers(f->sub, kind)))
			return true;
	}
	return false;
}

/* Unread, anybody of a kind that can name it may be using it. */
static void hold_unknown_users(struct order *o, struct step *s)
{
	for (size_t k = 0; o->manifest->kinds[k]; k++)
		if (o->survey->unknown[k] && refers(o->manifest->kinds[k]->table, s->kind->name))
			step_hold(s, HOLD_UNKNOWN,
				  arena_printf(o->plan->arena, "%s, so who uses it is not known",
					       o->survey->unknown[k]));
}

/* What goes waits for those who use it to go, or to let go of it. */
static void link_users(struct order *o)
{
	struct plan *p = o->plan;
	_cleanup_arena_ struct arena *a = arena_new();
	struct index steps = {0}; /* by name */
	struct index users = {0}; /* by what they use, "bridge/xenbr0" */

	for (size_t i = 0; i < p->n; i++)
		index_add(a, &steps, p->steps[i].kind->name, p->steps[i].name, &p->steps[i]);
	for (size_t k = 0; o->manifest->kinds[k]; k++) {
		const struct actuals *l = &o->survey->kinds[k];

		for (size_t i = 0; i < l->n; i++)
			for (size_t u = 0; u < l->list[i].n_uses; u++)
				index_add(a, &users, NULL, l->list[i].uses[u], &l->list[i]);
	}
	for (size_t i = 0; i < p->n; i++) {
		struct step *s = &p->steps[i];
		const struct index_entry *u, *e;

		if (!is_removal(s))
			continue;
		hold_unknown_users(o, s);
		u = index_first(&users, NULL, arena_printf(a, "%s/%s", s->kind->name, s->name));
		for (; u; u = index_next(u)) {
			const struct actual *user = u->item;
			bool found = false;

			e = user->foreign ? NULL
					  : index_first(&steps, user->kind->name, user->name);
			for (; e; e = index_next(e)) {
				if (e->item == s)
					continue;
				step_after(p, s, number(p, e->item), true);
				found = true;
			}
			if (!found)
				step_hold(s, HOLD_CONFLICT,
					  arena_printf(p->arena, "%s/%s still uses it",
						       user->kind->name, user->name));
		}
	}
}

static bool has_claim(const struct list *claims, const struct claim *c)
{
	for (size_t i = 0; i < claims->n; i++) {
		const struct claim *x = claims->items[i];

		if (streq(x->what, c->what) && x->shared == c->shared)
			return true;
	}
	return false;
}

/* Whether nobody could have that beside these: it is the same, and one of the two may write. */
static bool clashes(const struct list *claims, const struct claim *c)
{
	for (size_t i = 0; i < claims->n; i++) {
		const struct claim *x = claims->items[i];

		if (streq(x->what, c->what) && !(x->shared && c->shared))
			return true;
	}
	return false;
}

/* Whether it hasn't that claim any more once that step is done: it ends, or comes back without. */
static bool lets_go(const struct step *s, const struct claim *claim)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct list keeps = {0};

	if (s->action == ACTION_REMOVE || s->action == ACTION_STOP || s->action == ACTION_SETTLE)
		return true;
	/* One that is saved goes on with what it has. */
	if (s->action != ACTION_RESTART && s->action != ACTION_CREATE &&
	    (s->action != ACTION_UPDATE || claim->at_start))
		return false;
	if (s->want_record)
		s->kind->claims(a, s->want_record, &keeps);
	return !clashes(&keeps, claim);
}

/* What it comes to have; `ret` as of claims(). */
static void taken_by(struct arena *a, const struct step *s, struct list *ret)
{
	struct list all = {0};

	s->kind->claims(a, s->want_record, &all);
	for (size_t i = 0; i < all.n; i++) {
		struct claim *c = all.items[i];

		if (!(c->at_start && s->action == ACTION_UPDATE))
			list_add(a, ret, c);
	}
}

/* One who has what this step is to take: it waits until that one lets go, and is held where it won't. */
static void take_from(struct order *o, struct step *s, const struct claim *claim,
		      const struct actual *holder, const struct index *steps, struct waiters *w)
{
	struct plan *p = o->plan;
	_cleanup_(freep) bool *waits = xcalloc(p->n, sizeof(*waits));
	const char *name = claim->name ? claim->name : claim->what;
	const struct index_entry *e =
		holder->foreign ? NULL : index_first(steps, holder->kind->name, holder->name);
	bool found = false;

	waiters_of(w, number(p, s), waits);
	for (; e; e = index_next(e)) {
		struct step *other = e->item;

		if (!lets_go(other, claim))
			continue;
		if (waits[number(p, other)]) {
			step_hold(s, HOLD_CONFLICT,
				  arena_printf(p->arena,
					       "%s/%s has %s and waits for this one in turn: "
					       "stop one of the two first",
					       holder->kind->name, holder->name, name));
			return;
		}
		step_after(p, s, number(p, other), true);
		waiters_add(w, number(p, s), number(p, other));
		found = true;
	}
	if (!found)
		step_hold(s, HOLD_CONFLICT,
			  arena_printf(p->arena, "%s/%s%s has %s", holder->kind->name, holder->name,
				       holder->foreign ? ", a foreign one," : "", name));
}

/* Of two steps of one plan that would take the same, the second is held: the manifest may call it by two names,
 * which only the facts show to be one. */
static void hold_rivals(struct order *o, struct arena *a)
{
	struct plan *p = o->plan;
	struct index taken = {0}; /* by what they take */

	for (size_t i = 0; i < p->n; i++) {
		struct step *s = &p->steps[i];
		struct list takes = {0};

		if (!s->kind->claims || !s->want_record || needs_nothing(s) || !step_todo(s) ||
		    is_removal(s))
			continue;
		taken_by(a, s, &takes);
		for (size_t c = 0; c < takes.n; c++) {
			const struct claim *mine = takes.items[c];
			const struct index_entry *e = index_first(&taken, mine->what, NULL);

			for (; e && step_todo(s); e = index_next(e)) {
				const struct step *other = e->item;
				struct list its = {0};

				if (other->kind == s->kind && streq(other->name, s->name))
					continue;
				taken_by(a, other, &its);
				if (!clashes(&its, mine))
					continue;
				step_hold(s, HOLD_CONFLICT,
					  arena_printf(p->arena, "%s/%s takes %s too%s",
						       other->kind->name, other->name,
						       mine->name ? mine->name : mine->what,
						       mine->at_start || mine->alone
							       ? ""
							       : ", and one of the two may "
								 "write to it"));
			}
		}
		for (size_t c = 0; c < takes.n && step_todo(s); c++)
			index_add(a, &taken, ((struct claim *)takes.items[c])->what, NULL, s);
	}
}

/* What only one may have, such as a disk that is written to, changes hands: first it is let go of. */
static void link_claims(struct order *o)
{
	struct plan *p = o->plan;
	_cleanup_arena_ struct arena *a = arena_new();
	struct index holders = {0}; /* by what they have */
	struct index steps = {0};   /* by name */
	struct waiters *w = waiters_new(p);

	for (size_t i = 0; i < p->n; i++)
		index_add(a, &steps, p->steps[i].kind->name, p->steps[i].name, &p->steps[i]);
	for (size_t k = 0; o->manifest->kinds[k]; k++) {
		const struct actuals *l = &o->survey->kinds[k];

		for (size_t i = 0; o->manifest->kinds[k]->claims && i < l->n; i++) {
			struct list claims = {0};

			o->manifest->kinds[k]->claims(a, l->list[i].record, &claims);
			for (size_t c = 0; c < claims.n; c++)
				index_add(a, &holders, ((struct claim *)claims.items[c])->what,
					  NULL, &l->list[i]);
		}
	}
	for (size_t i = 0; i < p->n; i++) {
		struct step *s = &p->steps[i];
		struct list takes = {0}, has = {0};

		if (!s->kind->claims || !s->want_record || needs_nothing(s))
			continue;
		taken_by(a, s, &takes);
		if (s->have_record)
			s->kind->claims(a, s->have_record, &has);
		for (size_t c = 0; c < takes.n; c++) {
			const struct claim *claim = takes.items[c];
			const struct index_entry *e = index_first(&holders, claim->what, NULL);

			for (; e && !has_claim(&has, claim); e = index_next(e)) {
				const struct actual *holder = e->item;
				struct list its = {0};

				if (!holder->foreign && holder->kind == s->kind &&
				    streq(holder->name, s->name))
					continue;
				holder->kind->claims(a, holder->record, &its);
				if (clashes(&its, claim))
					take_from(o, s, claim, holder, &steps, w);
			}
		}
	}
	waiters_free(w);
	hold_rivals(o, a);
}

/* What is made for those who start with it waits for what they wait for: until then, and where that fails, it is better
 * left where it is. */
static void link_made_for_starts(struct order *o)
{
	struct plan *p = o->plan;
	_cleanup_(waiters_freep) struct waiters *w = NULL;
	_cleanup_(freep) bool *waits = xcalloc(p->n, sizeof(*waits));

	for (size_t i = 0; i < p->n; i++) {
		const struct step *user = &p->steps[i];

		for (size_t j = 0; step_starts(user) && j < user->n_after; j++) {
			struct step *s = &p->steps[user->after[j].step];

			if (!s->kind->for_starts || s->action != ACTION_CREATE)
				continue;
			if (!w)
				w = waiters_new(p);
			waiters_of(w, number(p, s), waits);
			for (size_t k = 0; k < user->n_after; k++) {
				const struct step_dep *d = &user->after[k];

				if (p->steps[d->step].kind->for_starts || waits[d->step])
					continue;
				step_after(p, s, d->step, d->required);
				waiters_add(w, number(p, s), d->step);
			}
		}
	}
}

static int64_t takes(const struct order *o, const struct step *s)
{
	return s->kind->takes ? s->kind->takes(o->planning, s) : 0;
}

/* What comes waits for what goes of its kind, for its name and all, and what takes more waits for what gives some back:
 * memory. It doesn't depend on it. */
static void link_leavers(struct order *o)
{
	struct plan *p = o->plan;
	struct waiters *w = waiters_new(p);
	_cleanup_(freep) bool *waits = xcalloc(p->n, sizeof(*waits));
	_cleanup_(freep) bool *after = xcalloc(p->n, sizeof(*after));
	_cleanup_arena_ struct arena *a = arena_new();
	struct index leavers = {0}; /* by kind */

	for (size_t i = 0; i < p->n; i++)
		if (is_removal(&p->steps[i]) || takes(o, &p->steps[i]) < 0)
			index_add(a, &leavers, p->steps[i].kind->name, NULL, &p->steps[i]);
	for (size_t i = 0; i < p->n; i++) {
		struct step *s = &p->steps[i];
		const struct index_entry *e = index_first(&leavers, s->kind->name, NULL);
		bool more = !is_removal(s) && e && takes(o, s) > 0;

		if (is_removal(s) || !e)
			continue;
		waiters_of(w, i, waits);
		memset(after, 0, p->n * sizeof(*after));
		for (size_t j = 0; j < s->n_after; j++)
			after[s->after[j].step] = true;
		for (; e; e = index_next(e)) {
			size_t j = number(p, e->item);

			if (waits[j] || after[j] || (!is_removal(e->item) && !more))
				continue;
			step_after_new(p, s, j, false);
			waiters_add(w, i, j);
		}
	}
	waiters_free(w);
}

void order_steps(struct planning *p, const struct survey *s)
{
	struct order o = {
		.planning = p,
		.plan = p->plan,
		.manifest = p->manifest,
		.facts = p->facts,
		.survey = s,
	};

	link_needs(&o);
	link_users(&o);
	link_claims(&o);
	link_made_for_starts(&o);
	link_leavers(&o);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The plan as a container.
 */
#include "model/plan.h"

#include <stdio.h>

#include "model/kind.h"

#define STEP_TIMEOUT_S 300

const char *const action_words[] = {
	"create", "update", "restart", "rebuild", "remove", "start", "stop", "settle", "pause", "resume",
	"save", "await", "adopt", "restore", "forget",
	NULL,
};

const char *const hold_words[] = {
	"no", "impact", "conflict", "unknown", "wait", "needs", NULL,
};

struct plan *plan_new(void)
{
	struct arena *a = arena_new();
	struct plan *p = arena_alloc(a, sizeof(*p));

	p->arena = a;
	p->allowed = IMPACT_LIVE;
	return p;
}

void plan_free(struct plan *p)
{
	if (p)
		arena_free(p->arena);
}

void plan_freep(struct plan **p)
{
	plan_free(*p);
	*p = NULL;
}

struct step *plan_add(struct plan *p, enum action action, const struct kind *k, const char *name,
		      const char *uuid)
{
	struct step *s;

	p->steps = arena_grow(p->arena, p->steps, p->n, sizeof(*p->steps));
	s = &p->steps[p->n++];
	*s = (struct step){
		.id = arena_printf(p->arena, "%s/%s:%s", k->name, name, action_words[action]),
		.action = action,
		.kind = k,
		.name = arena_strdup(p->arena, name),
		.timeout_s = STEP_TIMEOUT_S,
	};
	if (uuid)
		snprintf(s->uuid, sizeof(s->uuid), "%s", uuid);
	return s;
}

struct step *plan_rebuild(struct plan *p, const struct kind *k, const struct resource *want)
{
	struct step *s;

	for (size_t i = 0; i < p->n; i++) {
		s = &p->steps[i];
		if (s->want != want)
			continue;
		if (s->action == ACTION_REBUILD)
			return NULL;
		step_drop(s);
	}
	s = plan_add(p, ACTION_REBUILD, k, want->name, want->uuid);
	s->impact = IMPACT_LIVE; /* the person who named it gave leave */
	return s;
}

void plan_note(struct plan *p, int type, const char *subject, const char *text)
{
	p->notes = arena_grow(p->arena, p->notes, p->n_notes, sizeof(*p->notes));
	p->notes[p->n_notes++] = (struct plan_note){
		.subject = arena_strdup(p->arena, subject),
		.text = arena_strdup(p->arena, text),
		.type = type,
	};
}

void step_after(struct plan *p, struct step *s, size_t other, bool required)
{
	for (size_t i = 0; i < s->n_after; i++) {
		if (s->after[i].step == other) {
			s->after[i].required |= required;
			return;
		}
	}
	step_after_new(p, s, other, required);
}

void step_after_new(struct plan *p, struct step *s, size_t other, bool required)
{
	s->after = arena_grow(p->arena, s->after, s->n_after, sizeof(*s->after));
	s->after[s->n_after++] = (struct step_dep){.step = other, .required = required};
}

void step_hold(struct step *s, enum hold hold, const char *why)
{
	if (s->hold != HOLD_NO)
		return;
	s->hold = hold;
	s->hold_why = why;
}

void step_hold_at(struct step *s, enum hold hold, struct span at, const char *why)
{
	if (s->hold == HOLD_NO)
		s->hold_span = at;
	step_hold(s, hold, why);
}

bool step_todo(const struct step *s)
{
	return s->hold == HOLD_NO;
}

bool step_unknown(const struct step *s)
{
	return s->hold == HOLD_UNKNOWN && s->action == ACTION_UPDATE && s->changes.n == 0;
}

bool step_starts(const struct step *s)
{
	return s->action == ACTION_CREATE || s->action == ACTION_RESTART ||
	       s->action == ACTION_START || s->action == ACTION_RESTORE;
}

size_t plan_todo(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += step_todo(&p->steps[i]);
	return n;
}

struct actual *actual_add(struct arena *a, struct actuals *l, const struct kind *k,
			  const char *name)
{
	struct actual *x;

	l->list = arena_grow(a, l->list, l->n, sizeof(*l->list));
	x = &l->list[l->n++];
	*x = (struct actual){.kind = k, .name = name, .record = arena_alloc(a, k->table->size)};
	return x;
}

struct diag *step_diag(struct diags *d, const struct step *s, const char *path, const char *message)
{
	struct span span = {0};
	struct diag *g;

	if (s->hold_span.source)
		span = s->hold_span;
	else if (s->want && path)
		span = field_span(s->want->record, path);
	if (!span.source && s->want)
		span = s->want->span;
	g = diag_error(d, "step", span, "%s '%s': %s", s->kind->name, s->name, message);
	if (s->want && s->want->span.source && span.source && !span_one_line(&s->want->span, &span))
		diag_also(d, g, s->want->span, "declared here");
	return g;
}

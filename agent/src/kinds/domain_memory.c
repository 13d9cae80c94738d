/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Whether there is memory for what a plan makes, before it makes anything.
 */
#include "kinds/domain_priv.h"

#include <stdio.h>

#include "base/num.h"
#include "kinds/kinds.h"

#define MIB     (UINT64_C(1) << 20)
#define WHY_MAX 160

uint64_t domain_memory_saved(const struct domain *was)
{
	uint64_t now = (was->memory_now + MIB - 1) / MIB * MIB;

	/* One that had not followed yet has more than it was told to have, and needs the room. */
	return now > was->memory + MIB ? now : was->memory;
}

/* What it has and was told to have: what it has beyond that it gives back by itself, to whoever comes. */
static uint64_t keeps(const struct domain *is)
{
	return MIN_OF(is->memory, is->memory_now);
}

/* That Xen gets back before a step takes its own. */
static uint64_t gives(const struct step *s)
{
	const struct domain *is = s->have_record, *will = s->want_record;

	if (!is)
		return 0;
	if (s->action == ACTION_REMOVE || s->action == ACTION_STOP || s->action == ACTION_SETTLE ||
	    s->action == ACTION_RESTART || s->action == ACTION_SAVE || s->half_made)
		return keeps(is);
	return s->action == ACTION_UPDATE && will && is->memory != will->memory &&
			       keeps(is) > will->memory
		       ? keeps(is) - will->memory
		       : 0;
}

static uint64_t takes(struct planning *p, const struct step *s, const struct domain *will)
{
	const struct domain *is = s->have_record, *was;
	const struct saved_domain *saved;

	if (s->action == ACTION_CREATE || s->action == ACTION_RESTART)
		return will->memory;
	if (s->action == ACTION_UPDATE)
		return is && is->memory != will->memory && will->memory > keeps(is)
			       ? will->memory - keeps(is)
			       : 0;
	if (s->action != ACTION_RESTORE)
		return 0;
	saved = domain_saved(p->facts, s->name);
	was = saved ? domain_was_once(p, s->name, saved) : NULL;
	return was ? domain_memory_saved(was) : will->memory;
}

/* What Xen will have for a step when what goes in this plan is gone and what comes before it is there, without what
 * Xen takes for itself: who is held by this could not start, or not grow. */
static bool has_memory(struct planning *p, const struct resource *want, const struct step *s,
		       char why[WHY_MAX])
{
	const struct xen_facts *x = xen_facts(p->facts);
	uint64_t room = x->memory_free + gives(s), taken = 0, need = takes(p, s, want->record);
	char a[NUM_TEXT], b[NUM_TEXT];

	for (size_t i = 0; need && i < p->plan->n; i++) {
		const struct step *o = &p->plan->steps[i];

		/* What needs leave that isn't given neither gives nor takes. */
		if (o->kind != &kind_domain || o == s || o->want == want || o->dropped ||
		    !step_todo(o) || o->impact > p->plan->allowed)
			continue;
		room += gives(o);
		if (o->want_record)
			taken += takes(p, o, o->want_record);
	}
	for (size_t i = 0; need && i < x->domains.n; i++) {
		const struct xen_domain *o = x->domains.items[i];

		if (o->state == XEN_DYING)
			room += o->memory_now;
		else if (o->memory_now > o->memory)
			room += o->memory_now - o->memory;
		/* A restart that no difference has led to was not told what it ends. */
		if (s->action == ACTION_RESTART && !s->have_record && o->state != XEN_DYING &&
		    streq(o->mark_uuid, want->uuid))
			room += MIN_OF(o->memory, o->memory_now);
	}
	if (need + taken <= room)
		return true;
	snprintf(
		why, WHY_MAX,
		"does not fit: needs %s%s, Xen has %s free for it; lower its memory, or stop a domain",
		num_size(a, need), s->action == ACTION_UPDATE ? " more" : "",
		num_size(b, room > taken ? room - taken : 0));
	return false;
}

void domain_say_maxmem(struct planning *p, struct step *s)
{
	const struct domain *is = s->have_record, *will = s->want_record;
	char most[NUM_TEXT];

	if (!is || !will || !changes_has(&s->changes, "memory") ||
	    changes_has(&s->changes, "maxmem") || will->memory <= is->maxmem)
		return;
	s->why = arena_printf(p->arena,
			      "%s (over maxmem %s; with a higher 'maxmem:' set beforehand it "
			      "would be live)",
			      s->why, num_size(most, is->maxmem));
}

void domain_hold_unfitting(struct planning *p, const struct resource *want, struct step *s)
{
	char why[WHY_MAX];

	if (!step_todo(s) || has_memory(p, want, s, why))
		return;
	step_hold(s, HOLD_CONFLICT, arena_strdup(p->arena, why));
	s->hold_span = field_span(want->record, "memory");
}

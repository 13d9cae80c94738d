/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Whether there is memory for what a plan makes, before it makes anything.
 */
#include "kinds/domain_priv.h"

#include <stdio.h>

#include "base/num.h"
#include "kinds/kinds.h"

#define WHY_MAX 160

/* What Xen will have for a new domain when what goes in this plan is gone and what comes before it is
 * there, without what Xen takes for itself: who is held by this could not start. */
static bool has_memory(struct planning *p, const struct domain *d, const struct step *s,
		       char why[WHY_MAX])
{
	const struct xen_facts *x = xen_facts(p->facts);
	uint64_t room = x->memory_free, taken = 0;
	const struct domain *have = s->action == ACTION_RESTART ? s->have_record : NULL;
	uint64_t need = MAX_OF(d->memory, (uint64_t)0);
	char a[NUM_TEXT], b[NUM_TEXT];

	for (size_t i = 0; i < p->plan->n; i++) {
		const struct step *o = &p->plan->steps[i];
		const struct domain *is = o->have_record, *will = o->want_record;

		if (o->kind != &kind_domain || o == s || o->dropped)
			continue;
		if (is && (o->action == ACTION_REMOVE || o->action == ACTION_STOP ||
			   o->action == ACTION_SETTLE || o->action == ACTION_RESTART ||
			   o->action == ACTION_SAVE))
			room += is->memory_now;
		if (will && step_todo(o) &&
		    (o->action == ACTION_CREATE || o->action == ACTION_RESTART ||
		     o->action == ACTION_RESTORE))
			taken += will->memory;
	}
	if (have)
		room += have->memory_now;
	/* One that goes on by ballooning gives what can't be foretold: Xen has the last word. */
	for (size_t i = 0; i < x->domains.n; i++) {
		const struct xen_domain *o = x->domains.items[i];

		if (o->state == XEN_DYING || o->memory_now > o->memory)
			room += o->memory_now;
	}
	if (need + taken <= room)
		return true;
	snprintf(
		why, WHY_MAX,
		"does not fit: needs %s, Xen has %s free for it; lower its memory, or stop a domain",
		num_size(a, need), num_size(b, room > taken ? room - taken : 0));
	return false;
}

void domain_hold_unfitting(struct planning *p, const struct resource *want, struct step *s)
{
	char why[WHY_MAX];

	if (!step_todo(s) || has_memory(p, want->record, s, why))
		return;
	step_hold(s, HOLD_CONFLICT, arena_strdup(p->arena, why));
	s->hold_span = field_span(want->record, "memory");
}

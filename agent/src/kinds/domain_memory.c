/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Whether there is memory for what a plan makes, before it makes anything.
 */
#include "kinds/domain_priv.h"

#include <stdio.h>

#include "base/num.h"
#include "kinds/kinds.h"

#define MIB  (UINT64_C(1) << 20)
#define PAGE 4096u

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

/* What Xen takes beyond a guest's memory, as libxl_domain_need_memory() reckons it (Xen 4.17: 256 pages for each
 * vcpu and two for each MiB to keep tables in, and a little). Of what a guest's IOMMU takes nobody knows before. */
static uint64_t besides(const struct domain *d)
{
	uint64_t most = MAX_OF(d->maxmem, d->memory);
	uint64_t vcpus = (uint64_t)MAX_OF(MAX_OF(d->maxvcpus, d->vcpus), (int64_t)1);

	return d->type == XEN_PV ? MIB : 2 * MIB + PAGE * (256 * vcpus + 2 * (most / MIB));
}

/* That Xen gets back before a step takes its own. */
static uint64_t gives(const struct step *s)
{
	const struct domain *is = s->have_record, *will = s->want_record;

	if (!is)
		return 0;
	if (s->action == ACTION_REMOVE || s->action == ACTION_STOP || s->action == ACTION_SETTLE ||
	    s->action == ACTION_RESTART || s->action == ACTION_SAVE || s->half_made)
		return keeps(is) + besides(is);
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
		return will->memory + besides(will);
	if (s->action == ACTION_UPDATE)
		return is && is->memory != will->memory && will->memory > keeps(is)
			       ? will->memory - keeps(is)
			       : 0;
	if (s->action != ACTION_RESTORE)
		return 0;
	saved = domain_saved(p->facts, s->name);
	was = saved ? domain_was_once(p, s->name, saved) : NULL;
	return was ? domain_memory_saved(was) + besides(was) : will->memory + besides(will);
}

/* Whether it is done in this plan: what needs leave that isn't given neither gives nor takes. */
static bool counts(const struct planning *p, const struct step *s)
{
	return s->kind == &kind_domain && !s->dropped && step_todo(s) &&
	       s->impact <= p->plan->allowed;
}

int64_t domain_takes(struct planning *p, const struct step *s)
{
	if (!counts(p, s))
		return 0;
	return (int64_t)(s->want_record ? takes(p, s, s->want_record) : 0) - (int64_t)gives(s);
}

/* What Xen will have for those who take some when those who give some have: the latter always fit. */
static int64_t room(struct planning *p)
{
	const struct xen_facts *x = xen_facts(p->facts);
	int64_t n = (int64_t)x->memory_free;

	for (size_t i = 0; i < x->domains.n; i++) {
		const struct xen_domain *o = x->domains.items[i];

		if (o->state == XEN_DYING)
			n += (int64_t)o->memory_now;
		else if (o->memory_now > o->memory)
			n += (int64_t)(o->memory_now - o->memory);
	}
	for (size_t i = 0; i < p->plan->n; i++)
		n -= MIN_OF(domain_takes(p, &p->plan->steps[i]), (int64_t)0);
	return n;
}

/* " (web has 4 GiB)": the one whose end would bring most; "" where nobody else is. */
static const char *largest(struct planning *p, const struct step *s)
{
	const struct xen_facts *x = xen_facts(p->facts);
	const struct xen_domain *most = NULL;
	char size[NUM_TEXT];

	for (size_t i = 0; i < x->domains.n; i++) {
		const struct xen_domain *o = x->domains.items[i];

		if (o->name && !streq(o->name, s->name) && o->state != XEN_DYING &&
		    (!most || o->memory_now > most->memory_now))
			most = o;
	}
	return most ? arena_printf(p->arena, " (%s has %s)", most->name,
				   num_size(size, most->memory_now))
		    : "";
}

static void hold(struct planning *p, struct step *s, uint64_t need, int64_t has)
{
	uint64_t there = (uint64_t)MAX_OF(has, (int64_t)0);
	char a[NUM_TEXT], b[NUM_TEXT], c[NUM_TEXT], own[NUM_TEXT];
	const char *beyond = " more";

	if (s->action != ACTION_UPDATE)
		beyond = arena_printf(p->arena, " (%s of it Xen's own)",
				      num_size(own, besides(s->want->record)));
	step_hold_at(
		s, HOLD_CONFLICT, field_span(s->want->record, "memory"),
		arena_printf(p->arena,
			     "does not fit: needs %s%s, Xen has %s free for it, %s too little; "
			     "lower its memory, or stop a domain%s",
			     num_size(a, need), beyond, num_size(b, there),
			     num_size(c, need - there), largest(p, s)));
	/* Nobody waits until it is ready. */
	for (size_t i = 0; i < p->plan->n; i++)
		if (p->plan->steps[i].want == s->want && p->plan->steps[i].action == ACTION_AWAIT)
			step_drop(&p->plan->steps[i]);
}

void domain_hold_unfitting(struct planning *p)
{
	const struct resource *before = NULL;
	int64_t has = room(p), taken = 0;

	for (size_t i = 0; i < p->plan->n; i++) {
		struct step *s = &p->plan->steps[i];
		uint64_t need, back;

		if (s->kind != &kind_domain || !s->want || s->dropped || !step_todo(s))
			continue;
		need = takes(p, s, s->want_record);
		back = gives(s);
		/* An update and a restart that has no leave yet are about the same memory. */
		taken = s->want == before ? taken : 0;
		before = s->want;
		if (need <= back)
			continue;
		if ((int64_t)(need - back) > has + taken) {
			hold(p, s, need, has + taken + (int64_t)back);
		} else if (counts(p, s)) {
			has -= (int64_t)(need - back);
			taken += (int64_t)(need - back);
		}
	}
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

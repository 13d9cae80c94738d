/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a domain is to do: run, be off, be paused. A mark says what Manor has paused it for; without one it was a
 * person, whose word it is to let it go on.
 */
#include "base/num.h"
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"

bool domain_kept_off(const struct resource *want)
{
	return ((const struct domain *)want->record)->state == STATE_STOPPED;
}

static const char *asked_once(const struct intent_domain *i)
{
	if (i->stopped == INTENT_BY_HAND)
		return "that it was stopped by hand";
	if (i->stopped == INTENT_SAVED)
		return "that it was saved by hand";
	return i->stopped == INTENT_RUN ? "what was asked for of it" : "how it ended";
}

/* Of one that is in the manifest no more and hasn't a step already. */
static bool is_left(const struct planning *p, const char *name)
{
	for (size_t i = 0; i < p->plan->n; i++)
		if (p->plan->steps[i].kind == &kind_domain && streq(p->plan->steps[i].name, name))
			return false;
	return !manifest_find(p->manifest, "domain", name);
}

void domain_forget(struct planning *p)
{
	const struct intent_facts *all = intent_facts(p->facts);
	struct step *s;

	for (size_t i = 0; all && p->manifest->namespace && i < all->domains.n; i++) {
		const char *name = all->domains.entries[i].name;
		const struct intent_domain *intent;
		char uuid[UUID_TEXT];

		ident_uuid(p->manifest->namespace, "domain", name, uuid);
		intent = domain_intent(p->facts, name, uuid);
		if (!intent || !is_left(p, name))
			continue;
		s = plan_add(p->plan, ACTION_FORGET, &kind_domain, name, uuid);
		s->why = arena_printf(p->arena, "no longer in the manifest: %s is forgotten",
				      asked_once(intent));
	}
}

static bool for_pool(const struct xen_domain *x)
{
	return startswith(x->paused_for, FOR_POOL);
}

/* `manor pause`, while it is the same start of it. */
static const struct intent_domain *by_hand(const struct facts *f, const struct xen_domain *x)
{
	const struct intent_domain *i =
		x->mark_name ? domain_intent(f, x->mark_name, x->mark_uuid) : NULL;

	return i && i->paused_domid && i->paused_domid == x->domid ? i : NULL;
}

static const char *by_hand_since(struct arena *a, const struct facts *f,
				 const struct intent_domain *i)
{
	char age[NUM_TEXT];

	return arena_printf(a, "paused by hand %s ago",
			    num_age(age, (uint64_t)MAX_OF(f->time - i->since, (int64_t)0)));
}

/* What it was paused for and is no longer to be, in words; NULL: nothing, or its pool. */
static const char *over(const struct planning *p, const struct xen_domain *x)
{
	const struct intent_domain *i = domain_intent(p->facts, x->mark_name, x->mark_uuid);

	if (streq(x->paused_for, PAUSED_BY_MANIFEST))
		return "state: paused → running";
	if (x->paused_for && !for_pool(x))
		return "unpaused by hand";
	return i && i->unpaused_domid && i->unpaused_domid == x->domid && !x->paused_for &&
			       x->state == XEN_PAUSED
		       ? "unpaused by hand"
		       : NULL;
}

struct step *domain_pause(struct planning *p, const struct resource *want,
			  const struct xen_domain *x)
{
	const struct domain *d = want->record;
	const struct intent_domain *hand = by_hand(p->facts, x);
	const char *what = hand ? PAUSED_BY_HAND : PAUSED_BY_MANIFEST;

	if (!hand && d->state != STATE_PAUSED)
		return domain_pause_for_pool(p, want, x, over(p, x));
	if (x->state != XEN_PAUSED)
		return domain_pause_for(p, want, what,
					hand ? "pause asked for by hand"
					     : "state: running → paused");
	/* Else nobody would know later whose pause it was, and when it is over. */
	if (!x->paused_for || for_pool(x))
		return domain_pause_for(p, want, what,
					hand ? "paused already: now as asked for by hand"
					     : "paused already: now as its manifest says");
	if (hand)
		plan_note(p->plan, NOTE_KEPT, arena_printf(p->arena, "domain/%s", want->name),
			  arena_printf(p->arena, "%s; `manor unpause %s` lets it go on",
				       by_hand_since(p->arena, p->facts, hand), want->name));
	return NULL;
}

const char *domain_pause_note(struct arena *a, const struct facts *f, const struct xen_domain *x)
{
	const struct intent_domain *hand = by_hand(f, x);

	if (hand)
		return by_hand_since(a, f, hand);
	if (for_pool(x))
		return arena_printf(a, "paused: %s was full", x->paused_for);
	return x->paused_for || !x->ran ? NULL : "paused by hand";
}

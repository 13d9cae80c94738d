/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Domains that ended by themselves: what follows, and how long one that crashes again and again waits.
 */
#include "base/num.h"
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"

#define BACKOFF_MAX_S 300
#define CALM_S        600 /* a domain that ran so long begins its back-off anew */

int64_t domain_crashes(const struct facts *f, const struct intent_domain *i,
		       const struct xen_domain *x)
{
	int64_t age = f->time - x->started;

	/* Without a start that makes sense (the clock was set since) the count begins anew. */
	if (!i || x->started == 0 || age < 0 || age >= CALM_S)
		return 0;
	/* Noted already, by whoever was cut off before the restart. */
	if (i->crashes > 0 && i->crashed > x->started)
		return MIN_OF(i->crashes - 1, 62);
	return MIN_OF(i->crashes, 62);
}

static void back_off(struct planning *p, const struct resource *want, const struct xen_domain *x,
		     struct step *s)
{
	const struct intent_domain *i = domain_intent(p->facts, want->name, want->uuid);
	int64_t before = domain_crashes(p->facts, i, x);
	int64_t delay = before >= 9 ? BACKOFF_MAX_S : MIN_OF(INT64_C(1) << before, BACKOFF_MAX_S);
	char text[NUM_TEXT];

	if (before > 0)
		s->why = arena_printf(p->arena, "%s, %lld times in a row", s->why,
				      (long long)before + 1);
	if (x->started == 0 || x->started > p->facts->time || x->started + delay <= p->facts->time)
		return;
	s->not_before = x->started + delay;
	step_hold(s, HOLD_WAIT,
		  arena_printf(p->arena, "%s: not before %s have passed since its last start",
			       s->why, num_age(text, (uint64_t)delay)));
}

enum domain_end domain_end_of(const struct domain *d, int reason)
{
	switch ((enum xen_reason)reason) {
	case XEN_REBOOT:
	case XEN_SOFT_RESET:
		return d->on_reboot;
	case XEN_CRASH:
		return d->on_crash;
	case XEN_WATCHDOG:
		return d->on_watchdog;
	case XEN_POWEROFF:
	case XEN_SUSPEND: /* which is no end */
		break;
	}
	return d->on_poweroff;
}

bool domain_end_restarts(enum domain_end end)
{
	return end == END_RESTART || end == END_COREDUMP_RESTART;
}

bool domain_end_dumps(enum domain_end end)
{
	return end == END_COREDUMP_DESTROY || end == END_COREDUMP_RESTART;
}

#define DUMP_RATE (UINT64_C(8) << 20) /* bytes a second that a slow disk takes */

/* Its memory is to be written first. */
static void allow_dump(struct step *s, const struct xen_domain *x, enum domain_end end)
{
	if (domain_end_dumps(end))
		s->timeout_s += (unsigned)(x->memory / DUMP_RATE);
}

static const char *end_words(int reason)
{
	switch ((enum xen_reason)reason) {
	case XEN_CRASH:
		return "crashed";
	case XEN_WATCHDOG:
		return "its watchdog ran out";
	case XEN_POWEROFF:
		return "powered itself off";
	default:
		return "rebooted from inside";
	}
}

void domain_decide_ended(struct planning *p, const struct resource *want,
			 const struct xen_domain *x, struct step *step)
{
	const struct intent_domain *i = domain_intent(p->facts, want->name, want->uuid);
	const struct domain *d = want->record;
	const char *why = end_words(x->reason);
	enum domain_end end = domain_end_of(d, x->reason);
	struct step *s;

	if (domain_decide_suspended(p, want, x, step))
		return;
	if (i && i->stopped == INTENT_BY_HAND) {
		domain_step(p, step, ACTION_SETTLE, want, IMPACT_NONE, "stopped by hand");
		return;
	}
	if (domain_kept_off(want)) {
		domain_step(p, step, ACTION_SETTLE, want, IMPACT_NONE,
			    arena_printf(p->arena, "%s: it stays off, as its manifest says", why));
		return;
	}
	if (i && i->restart_domid && i->restart_domid == x->domid) {
		s = domain_step(p, step, ACTION_RESTART, want, IMPACT_NONE,
				end == END_PRESERVE ? "its restart was asked for"
						    : "its restart was cut short");
		domain_set_timeout(s, d);
		domain_hold_impossible(p, want, s);
		return;
	}
	if (x->reason == XEN_SUSPEND) {
		if (step)
			step_drop(step);
		plan_note(p->plan, NOTE_WARNING, arena_printf(p->arena, "domain/%s", want->name),
			  "suspended by hand: left as it is");
		return;
	}
	if (end == END_PRESERVE) {
		if (step)
			step_drop(step);
		plan_note(
			p->plan, NOTE_WARNING, arena_printf(p->arena, "domain/%s", want->name),
			arena_printf(
				p->arena,
				"%s, and what is left of it is preserved, as its manifest says: `manor "
				"restart %s` or `manor stop %s` clears it away",
				why, want->name, want->name));
		return;
	}
	if (!domain_end_restarts(end)) {
		s = domain_step(p, step, ACTION_SETTLE, want, IMPACT_NONE,
				arena_printf(p->arena, "%s: it stays off", why));
		allow_dump(s, x, end);
		return;
	}
	s = domain_step(p, step, ACTION_RESTART, want, IMPACT_NONE, why);
	domain_set_timeout(s, d);
	allow_dump(s, x, end);
	if (x->reason == XEN_CRASH || x->reason == XEN_WATCHDOG)
		back_off(p, want, x, s);
	domain_hold_impossible(p, want, s);
}

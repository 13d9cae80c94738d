/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A domain that somebody else made and that the manifest describes: it is known by its UUID, which the manifest
 * gives. Until a person says `manor adopt`, nothing is done to it, come what may; a manifest that describes it as it
 * is is no conflict.
 */
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"

#include <errno.h>

#define SHOWN_MAX 6 /* differences that a message tells */

const struct resource *domain_counterpart(const struct manifest *m, const struct xen_domain *x)
{
	for (size_t i = 0; m && !x->mark_uuid && i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];

		/* One that follows from namespace and name is nobody's but ours. */
		if (r->kind == &kind_domain && !streq(r->uuid, x->uuid) &&
		    streq(((const struct domain *)r->record)->uuid, x->uuid))
			return r;
	}
	return NULL;
}

static const char *changes_text(struct arena *a, const struct changes *c, enum impact above)
{
	const char *text = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct change *x = &c->list[i];

		if (x->impact <= above)
			continue;
		if (n++ == SHOWN_MAX)
			return arena_printf(a, "%s, …", text);
		text = arena_printf(a, "%s%s%s is %s, not %s", text ? text : "", text ? "; " : "",
				    x->path, x->old_text ? x->old_text : "absent",
				    x->new_text ? x->new_text : "wanted");
	}
	return text;
}

/* What stands in the way whatever the manifest says; NULL: nothing. */
static const char *obstacle(struct arena *a, const struct facts *f, const struct resource *r,
			    const struct xen_domain *x)
{
	const struct saved_domain *s = domain_saved(f, r->name);

	if (x->state == XEN_SHUTDOWN)
		return arena_printf(a,
				    "it has ended (%s) and is there still: look at it, then `xl "
				    "destroy %lld`",
				    xen_reason_words[x->reason], (long long)x->domid);
	if (s && s->whole)
		return arena_printf(
			a,
			"what a domain of that name had in memory is saved, and belongs "
			"to its disks: `manor start --discard-saved %s` gives it up",
			r->name);
	return NULL;
}

static const char *stranger(struct arena *a, const struct resource *r, const struct xen_domain *x)
{
	if (x->mark_uuid)
		return "a domain of that name is there, with the mark of another namespace";
	return arena_printf(
		a,
		"a foreign domain of that name is there: rename one of the two, or "
		"remove it by hand; or say 'uuid: %s' and what else `manor export` tells "
		"of it, and `manor adopt domain/%s`",
		x->uuid, r->name);
}

const char *domain_unadoptable(struct arena *a, const struct facts *f, const struct manifest *m,
			       const struct resource *r, const struct actual *foreign)
{
	const struct xen_domain *x = foreign->data;
	const char *why;
	struct changes diff;

	if (domain_counterpart(m, x) != r)
		return stranger(a, r, x);
	why = obstacle(a, f, r, x);
	if (why)
		return why;
	record_diff(a, &domain_table, domain_wanted(a, f, m, r), foreign->record, f, &diff);
	if (changes_worst(&diff) <= IMPACT_LIVE)
		return NULL;
	return arena_printf(
		a, "it isn't as its manifest says: %s; write there what is (`manor export` tells)",
		changes_text(a, &diff, IMPACT_LIVE));
}

void domain_meet(struct planning *p, const struct resource *want, const struct actual *foreign,
		 const struct changes *diff, struct step *step)
{
	const struct intent_domain *i = domain_intent(p->facts, want->name, want->uuid);
	const struct xen_domain *x = foreign->data;
	const char *why;

	if (domain_counterpart(p->manifest, x) != want) {
		step_hold(step, HOLD_CONFLICT, stranger(p->arena, want, x));
		domain_decide(p, want, NULL, step);
		return;
	}
	why = obstacle(p->arena, p->facts, want, x);
	if (!why && i && i->adopt_domid == x->domid && changes_worst(diff) <= IMPACT_LIVE) {
		step = domain_step(p, step, ACTION_ADOPT, want, IMPACT_LIVE,
				   arena_printf(p->arena, "domain %lld is taken over as it runs",
						(long long)x->domid));
		return;
	}
	if (!why && diff->n == 0) {
		step_drop(step);
		plan_note(p->plan, NOTE_KEPT, arena_printf(p->arena, "domain/%s", want->name),
			  foreign->note);
		return;
	}
	if (!why)
		why = arena_printf(
			p->arena,
			"it is there, not Manor's yet, and not as its manifest says: %s; "
			"write there what is (`manor export` tells), then `manor adopt "
			"domain/%s`",
			changes_text(p->arena, diff, IMPACT_NONE), want->name);
	step_hold(step, HOLD_CONFLICT, why);
}

/* The marks come as they would have in the creating call, but for what it was paused for: who paused it says so. */
static int take_over(struct work *w, const struct xen_domain *x, struct err *e)
{
	struct xen_watcher watcher = {domain_progress, w};
	struct xen_domain asked;

	domain_ask(w, &asked);
	asked.paused_for = NULL;
	asked.started = x->started;
	asked.discs = false;      /* others make empty drives empty */
	asked.restored = !x->ran; /* whether it has a past nobody can tell: then it has */
	return xen_adopt(&asked, x->domid, &watcher, e);
}

int domain_adopt(struct work *w, struct err *e)
{
	const struct domain *seen = w->step->have_record;
	const struct xen_domain *x = w->now->data;
	struct intent_who me = domain_who(w);
	_cleanup_err_ struct err ignored = {0};
	struct changes diff;
	int r = 0;

	record_diff(w->arena, &domain_table, w->step->want_record, w->now->record, w->facts, &diff);
	if (seen && seen->domid != x->domid)
		r = err_set(e, -ESTALE, "it was started anew since the plan was made");
	else if (changes_worst(&diff) > IMPACT_LIVE)
		r = err_set(e, -ESTALE, "it is another than the plan saw: %s",
			    changes_text(w->arena, &diff, IMPACT_LIVE));
	if (r == 0)
		r = take_over(w, x, e);
	/* Said once, tried once; and what is done is no longer asked for. */
	(void)intent_start(&me, r < 0 ? &ignored : e);
	if (r == 0)
		w->result =
			arena_printf(w->arena, "taken over as domain %lld", (long long)x->domid);
	return r;
}

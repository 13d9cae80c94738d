/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Upgrades of the appliance, decided.
 */
#include "kinds/upgrade.h"

#include <errno.h>

#include "base/num.h"
#include "base/version.h"
#include "kinds/domain.h"
#include "kinds/kinds.h"

#define UNCOMMITTED "-dirty"

/* A version is a commit's, with all that goes into it; of what isn't committed two builds may differ. */
static bool runs(const struct slots *s, const struct bundle *b)
{
	size_t n = strlen(b->version), m = strlen(UNCOMMITTED);
	bool loose = n >= m && streq(b->version + n - m, UNCOMMITTED);

	if (b->build && streq(s->build, b->build))
		return true;
	return streq(s->version, b->version) && !(loose && s->build && b->build);
}

int upgrade_refuse(const struct slots *s, const struct trial *t, const struct bundle *b,
		   const struct upgrade_ask *ask, struct err *e)
{
	const struct trial_failed *failed = trial_failed(t, b->version, b->build);
	int order = 0;

	if (!streq(b->compatible, BUNDLE_COMPATIBLE))
		return err_set(e, -EXDEV, "it is for %s, and this is " BUNDLE_COMPATIBLE,
			       b->compatible);
	if (runs(s, b))
		return err_set(e, -EEXIST, "%s is what runs here", b->version);
	if (failed && !ask->retry) {
		err_help(e, "--retry tries it once more");
		return err_set(e, -EPERM, "%s was tried before and failed: %s", b->version,
			       failed->why ? failed->why : "it isn't known why");
	}
	if (!version_compare(b->version, s->version, &order)) {
		if (ask->downgrade)
			return 0;
		err_help(e, "--downgrade takes it all the same");
		return err_set(e, -ESTALE, "whether %s is newer than %s, which runs, can't be told",
			       b->version, s->version ? s->version : "what has no version");
	}
	if (order < 0 && !ask->downgrade) {
		err_help(e, "--downgrade takes it all the same");
		return err_set(e, -ESTALE, "%s is older than %s, which runs", b->version,
			       s->version);
	}
	return 0;
}

static bool alive(const struct xen_domain *d)
{
	return d->mark_uuid && streq(d->mark_state, "ready") &&
	       (d->state == XEN_RUNNING || d->state == XEN_PAUSED);
}

void upgrade_note(struct arena *a, const struct facts *f, const struct plan *p, struct trial *t)
{
	const struct xen_facts *x = xen_facts(f);

	t->guests = t->pending = (struct list){0};
	for (size_t i = 0; x && i < x->domains.n; i++) {
		const struct xen_domain *d = x->domains.items[i];

		if (alive(d) && d->mark_name)
			list_add(a, &t->guests, arena_strdup(a, d->mark_name));
	}
	for (size_t i = 0; p && i < p->n; i++)
		list_add(a, &t->pending, arena_strdup(a, p->steps[i].id));
}

/* What nobody allowed, and what waits for that, was no part of the new version's work. */
static bool left_anyhow(const struct step *s, const struct trial *t)
{
	return s->hold == HOLD_IMPACT || s->hold == HOLD_NEEDS || list_has(&t->pending, s->id);
}

/* A person's word of this boot, or the manifest's, keeps it off. */
static bool kept_off(const struct facts *f, const struct resource *r)
{
	const struct intent_facts *all = intent_facts(f);
	const struct intent_domain *i = all ? map_get(&all->domains, r->name) : NULL;

	if (((const struct domain *)r->record)->state == STATE_STOPPED)
		return true;
	return i && streq(i->uuid, r->uuid) && streq(i->boot_id, f->boot_id) &&
	       (i->stopped == INTENT_BY_HAND || i->stopped == INTENT_SAVED);
}

static bool is_back(const struct xen_facts *x, const struct resource *r)
{
	for (size_t i = 0; i < x->domains.n; i++) {
		const struct xen_domain *d = x->domains.items[i];

		if (streq(d->mark_uuid, r->uuid) && alive(d))
			return true;
	}
	return false;
}

const char *upgrade_misses(struct arena *a, const struct manifest *m, const struct facts *f,
			   const struct plan *p, const struct trial *t)
{
	const struct xen_facts *x;

	if (!f || !p || !m)
		return "this host could not be read";
	x = xen_facts(f);
	if (!x)
		return arena_printf(a, "Xen could not be read: %s", facts_unknown(f, "xen"));
	for (size_t i = 0; i < p->n; i++) {
		const struct step *s = &p->steps[i];
		const char *why = s->hold_why ? s->hold_why : s->why;

		if (!left_anyhow(s, t))
			return arena_printf(a, "%s/%s: %s%s%s", s->kind->name, s->name,
					    action_words[s->action], why ? ": " : "",
					    why ? why : "");
	}
	for (size_t i = 0; i < t->guests.n; i++) {
		const struct resource *r = manifest_find(m, "domain", t->guests.items[i]);

		if (r && !kept_off(f, r) && !is_back(x, r))
			return arena_printf(a, "domain/%s ran before and doesn't run now", r->name);
	}
	return NULL;
}

enum upgrade_boot upgrade_boot(const struct slots *s, const struct trial *t)
{
	if (!s->installed)
		return UPGRADE_NO_SLOT;
	if (!t->slot)
		return (s->on_trial || s->settings_tried) && !s->kept ? UPGRADE_UNKEPT
								      : UPGRADE_ORDINARY;
	if (t->boot_id && streq(t->boot_id, s->boot_id))
		return UPGRADE_BEGUN;
	if (streq(t->slot, s->booted) && (!t->settings || s->settings_tried))
		return UPGRADE_ON_TRIAL;
	return t->written ? UPGRADE_FELL_BACK : UPGRADE_CUT_OFF;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Domains whose memory is kept in a file: when one is restored, what it has to fit, what is refused meanwhile.
 * Nothing but what was saved goes on with a saved domain's disks, unless that is given up.
 */
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "model/record_json.h"

#define RATE              (UINT64_C(4) << 20) /* bytes a second that are written or read at the very least */
#define SAVE_TIMEOUT_S    300
#define RESTORE_TIMEOUT_S 300
#define SAVE_LATE_S       600 /* so late a guest may still suspend that was asked to */
#define SAVE_TRIES        2   /* a guest stands still until one ends, or is let go on */

const struct saved_domain *domain_saved(const struct facts *f, const char *name)
{
	const struct intent_facts *all = intent_facts(f);

	return all ? map_get(&all->saved, name) : NULL;
}

const struct domain *domain_was(struct arena *a, const struct saved_domain *s)
{
	_cleanup_json_ json_object *o =
		s->domain ? json_parse(s->domain, strlen(s->domain), NULL) : NULL;
	json_object *record = o ? json_member(o, "record", json_type_object) : NULL;
	struct domain *d = arena_alloc(a, sizeof(*d));

	if (!record || record_from_json(a, &domain_table, record, d, NULL) < 0)
		return NULL;
	if (!d->uuid) {
		/* Of a Manor that gave none but its own. */
		d->uuid = s->uuid;
		field_mark(&domain_table, d, "uuid");
	}
	return d;
}

const char *domain_absent_word(const struct facts *f, const struct resource *domain)
{
	_cleanup_arena_ struct arena *a = arena_new();
	const struct saved_domain *s = domain_saved(f, domain->name);

	if (s && s->whole)
		return "saved";
	return domain_kept_off(domain) || domain_rest(a, f, domain) ? "stopped" : "absent";
}

/* --- does it fit --- */

/* "disks.root" of "disks.root.target" */
static const struct domain_disk *disk_of(struct arena *a, const struct domain *d, const char *path)
{
	path += strlen("disks.");
	return map_get(&d->disks, arena_strndup(a, path, strcspn(path, ".")));
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && streq(s + n - k, end);
}

/* What a guest can't wake up to. Memory and vcpus come as they were and follow the manifest then; another kernel
 * waits for the next restart, as it did before. */
static bool matters(struct arena *a, const struct domain *want, const struct change *c)
{
	const struct domain_disk *k;

	if (streq(c->path, "kernel_path") || streq(c->path, "initrd_path") ||
	    streq(c->path, "cmdline"))
		return false;
	if (startswith(c->path, "nics."))
		return !ends_with(c->path, ".bridge");
	if (!startswith(c->path, "disks."))
		return c->impact > IMPACT_LIVE;
	/* A device may be called otherwise today; the worker looks whether it is the same. */
	k = disk_of(a, want, c->path);
	return !k || !ends_with(c->path, ".target") ||
	       !field_given(domain_disk_fields, k, "device");
}

static const char *differences(struct arena *a, const struct facts *f, const struct domain *want,
			       const struct domain *was)
{
	const char *text = NULL;
	struct changes all;

	record_diff(a, &domain_table, want, was, f, &all);
	for (size_t i = 0; i < all.n; i++) {
		const struct change *c = &all.list[i];

		if (!matters(a, want, c))
			continue;
		text = arena_printf(a, "%s%s%s: %s → %s", text ? text : "", text ? ", " : "",
				    c->path, c->old_text ? c->old_text : "none",
				    c->new_text ? c->new_text : "none");
	}
	return text;
}

/* Why it can't go on as its manifest says, or NULL. */
static const char *misfit(struct planning *p, const struct resource *want, const struct domain *d,
			  const struct saved_domain *s)
{
	const struct domain *was = s->why ? NULL : domain_was(p->arena, s);
	const char *text;

	if (s->why || !was)
		return arena_printf(p->arena, "%s can't be understood (%s)",
				    save_path(p->arena, want->name),
				    s->why ? s->why : "it doesn't say what the domain was like");
	if (!streq(s->uuid, want->uuid))
		return arena_printf(p->arena, "%s is of another domain of that name (UUID %s)",
				    save_path(p->arena, want->name), s->uuid);
	text = differences(p->arena, p->facts, d, was);
	return text ? arena_printf(p->arena, "its manifest has changed since it was saved (%s)",
				   text)
		    : NULL;
}

/* --- planning --- */

static unsigned timeout(unsigned least, uint64_t bytes)
{
	return least + (unsigned)MIN_OF(bytes / RATE, UINT64_C(86400));
}

struct step *domain_plan_save(struct planning *p, const struct resource *want,
			      const struct xen_domain *x, struct step *step, const char *why)
{
	step = domain_step(p, step, ACTION_SAVE, want, IMPACT_LIVE, why);
	step->timeout_s = timeout(SAVE_TIMEOUT_S, x->memory_now);
	if (x->pci.n && x->state != XEN_SHUTDOWN)
		step_hold(step, HOLD_CONFLICT, "it has a PCI device, whose state can't be saved");
	if (x->usb_ports && x->state != XEN_SHUTDOWN)
		step_hold(step, HOLD_CONFLICT,
			  "it has a port for USB devices, which libxl can't restore");
	return step;
}

bool domain_saved_of(const struct facts *f, const struct saved_domain *s,
		     const struct xen_domain *x)
{
	return s && s->whole && !s->why && s->domid == x->domid && streq(s->boot_id, f->boot_id) &&
	       streq(s->uuid, x->mark_uuid);
}

bool domain_decide_suspended(struct planning *p, const struct resource *want,
			     const struct xen_domain *x, struct step *step)
{
	const struct intent_domain *i = domain_intent(p->facts, want->name, want->uuid);
	const struct saved_domain *s = domain_saved(p->facts, want->name);

	if (x->reason != XEN_SUSPEND || !x->saving)
		return false;
	if (domain_saved_of(p->facts, s, x))
		domain_plan_save(p, want, x, step, "saved: what is left of it goes");
	else if (i && i->stopped == INTENT_SAVED && x->saving < SAVE_TRIES)
		domain_plan_save(p, want, x, step, "its saving was cut off: once more");
	else
		domain_step(p, step, ACTION_RESUME, want, IMPACT_LIVE,
			    "its saving was cut off: it goes on");
	return true;
}

bool domain_saving_over(const struct facts *f, const struct xen_domain *x)
{
	return x->saving && x->state != XEN_SHUTDOWN &&
	       (x->saving_since > f->time || f->time - x->saving_since >= SAVE_LATE_S);
}

void domain_end_saving(struct planning *p, const struct resource *want, const struct xen_domain *x)
{
	struct step *s;

	if (!domain_saving_over(p->facts, x))
		return;
	s = domain_step(p, NULL, ACTION_UPDATE, want, IMPACT_NONE,
			"it did not suspend when it was to be saved: that is over");
	domain_set_timeout(s, want->record);
}

bool domain_decide_saved(struct planning *p, const struct resource *want, bool half_made,
			 struct step *step)
{
	const struct intent_domain *i = domain_intent(p->facts, want->name, want->uuid);
	const struct saved_domain *s = domain_saved(p->facts, want->name);
	char age[NUM_TEXT];
	const char *why;

	/* What is half-made has not run, so what it was made of is as good as it was. */
	if (!s || (!s->whole && !(half_made && s->used)))
		return false;
	if (i && i->discard_saved) {
		step->loses = "what it had in memory when it was saved";
		return false;
	}
	num_age(age, (uint64_t)MAX_OF(p->facts->time - s->since, (int64_t)0));
	step = domain_step(
		p, step, ACTION_RESTORE, want, IMPACT_LIVE,
		arena_printf(p->arena,
			     s->for_host ? "saved %s ago, as the host went down" : "saved %s ago",
			     age));
	step->timeout_s = timeout(RESTORE_TIMEOUT_S, s->size);
	why = misfit(p, want, step->want_record, s);
	if (why)
		step_hold(step, HOLD_CONFLICT,
			  arena_printf(p->arena,
				       "%s; `manor start %s --discard-saved` starts it anew and "
				       "LOSES what it had in memory",
				       why, want->name));
	domain_hold_impossible(p, want, step);
	return true;
}

void domain_at_shutdown(struct arena *a, const struct facts *f, const struct manifest *m,
			const struct actual *have, struct step *step)
{
	const struct resource *r = step->want;
	const struct intent_domain *i = domain_intent(f, r->name, r->uuid);
	const struct domain *d = r->record;
	const struct xen_domain *x = have->data;
	struct changes all;
	struct domain *copy;

	if (d->on_host_shutdown != SHUTDOWN_SAVES || have->half_made || x->state == XEN_SHUTDOWN ||
	    domain_kept_off(r) || (i && i->stopped == INTENT_BY_HAND) || x->usb_ports)
		return;
	/* What waits for a restart comes with this one. */
	record_diff(a, &domain_table, domain_wanted(a, f, m, r), have->record, f, &all);
	if (changes_worst(&all) > IMPACT_LIVE)
		return;
	copy = arena_alloc(a, sizeof(*copy));
	*copy = *d;
	copy->saves = true;
	field_mark(&domain_table, copy, "saves");
	step->want_record = copy;
	/* They would share one disk, and all stand still meanwhile: each runs until its turn, and who is late loses
	 * nothing by it. */
	step->serial = "saving";
	domain_set_timeout(step, d);
	step->timeout_s += timeout(SAVE_TIMEOUT_S, x->memory_now);
}

/* "/var/lib/manor/save/web.failed" */
static const char *left_over(struct arena *a, const char *name, const char *suffix)
{
	const char *path = save_path(a, name);

	return arena_printf(a, "%.*s.%s", (int)(strlen(path) - strlen(".save")), path, suffix);
}

void domain_note_left(struct planning *p, const struct resource *want, bool runs)
{
	const struct saved_domain *s = domain_saved(p->facts, want->name);
	const char *word = "what is left of saved ones was told";
	char size[NUM_TEXT];

	if (!s || (!s->failed && !(s->used && runs)) || index_find(&p->memo, word, want->name))
		return;
	index_add(p->arena, &p->memo, word, want->name, s);
	if (s->used && runs && !s->whole)
		plan_note(
			p->plan, NOTE_KEPT, arena_printf(p->arena, "domain/%s", want->name),
			arena_printf(p->arena,
				     "%s (%s) is left of its restoring and of no use; it goes with "
				     "its next start or save",
				     left_over(p->arena, want->name, "used"),
				     num_size(size, s->size)));
	if (!s->failed)
		return;
	plan_note(
		p->plan, NOTE_WARNING, arena_printf(p->arena, "domain/%s", want->name),
		arena_printf(p->arena,
			     "what was saved of it could not be restored, so it was started anew; "
			     "%s is kept for you to look at, and to remove",
			     left_over(p->arena, want->name, "failed")));
}

const struct domain *domain_was_once(struct planning *p, const char *name,
				     const struct saved_domain *s)
{
	const char *word = "what was saved was like";
	const struct index_entry *e = index_first(&p->memo, word, name);
	const struct domain *d;

	if (e)
		return e->item;
	d = s->why ? NULL : domain_was(p->arena, s);
	index_add(p->arena, &p->memo, word, name, d);
	return d;
}

static const char *shared(struct arena *a, const struct domain *d, const struct domain *was)
{
	struct list takes = {0}, has = {0};

	domain_claims(a, d, &takes);
	domain_claims(a, was, &has);
	for (size_t i = 0; i < takes.n; i++) {
		const struct claim *x = takes.items[i];

		for (size_t k = 0; !x->at_start && k < has.n; k++) {
			const struct claim *y = has.items[k];

			if (streq(x->what, y->what) && !(x->shared && y->shared))
				return x->name ? x->name : x->what;
		}
	}
	return NULL;
}

void domain_hold_saved_disks(struct planning *p, const struct resource *want, struct step *step)
{
	const struct intent_facts *all = intent_facts(p->facts);

	for (size_t i = 0; all && step_todo(step) && i < all->saved.n; i++) {
		const char *name = all->saved.entries[i].name, *what;
		const struct saved_domain *s = all->saved.entries[i].value;
		const struct domain *was;

		if (!s->whole || streq(name, want->name))
			continue;
		was = domain_was_once(p, name, s);
		what = was ? shared(p->arena, step->want_record ? step->want_record : want->record,
				    was)
			   : NULL;
		if (what)
			step_hold(
				step, HOLD_CONFLICT,
				arena_printf(p->arena,
					     "domain/%s was saved while it had %s and goes on with "
					     "it: restore that one, or remove %s",
					     name, what, save_path(p->arena, name)));
	}
}

const char *domain_saved_with(struct planning *p, const char *device)
{
	const struct intent_facts *all = intent_facts(p->facts);

	for (size_t i = 0; all && i < all->saved.n; i++) {
		const char *name = all->saved.entries[i].name;
		const struct saved_domain *s = all->saved.entries[i].value;
		const struct domain *was;

		/* Who is in the manifest no more has been given up, with all that was its. */
		if (!s->whole || !manifest_find(p->manifest, "domain", name))
			continue;
		was = domain_was_once(p, name, s);
		for (size_t k = 0; was && k < was->disks.n; k++)
			if (streq(((struct domain_disk *)was->disks.entries[k].value)->target,
				  device))
				return name;
	}
	return NULL;
}

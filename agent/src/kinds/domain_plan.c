/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Domains as they are, and what is to be done about them: what ended by itself, what a person stopped,
 * what crashes again and again.
 */
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"

#include <stdio.h>

#include "base/num.h"
#include "model/record_json.h"

#define CREATE_TIMEOUT_S 300
#define UPDATE_TIMEOUT_S 180
#define SHUTDOWN_DEFAULT 60 /* seconds, where no mark says */
#define MIB              (UINT64_C(1) << 20)

const struct intent_domain *domain_intent(const struct facts *f, const char *name, const char *uuid)
{
	const struct intent_facts *all = intent_facts(f);
	const struct intent_domain *i = all ? map_get(&all->domains, name) : NULL;

	if (!i || !streq(i->uuid, uuid) || !f->boot_id || !streq(i->boot_id, f->boot_id))
		return NULL;
	return i;
}

const char *domain_rest(struct arena *a, const struct facts *f, const struct resource *domain)
{
	const struct intent_domain *i = domain_intent(f, domain->name, domain->uuid);
	char age[NUM_TEXT];

	if (!i || i->stopped == INTENT_RUN)
		return NULL;
	/* Where nothing is saved (it ended before it could be), there is nothing to keep. */
	if (i->stopped == INTENT_SAVED &&
	    !(domain_saved(f, domain->name) && domain_saved(f, domain->name)->whole))
		return NULL;
	if (i->stopped != INTENT_BY_HAND && i->stopped != INTENT_SAVED &&
	    !streq(((const struct domain *)domain->record)->said, i->digest))
		return NULL;
	num_age(age, (uint64_t)MAX_OF(f->time - i->since, 0));
	if (i->stopped == INTENT_CRASHED)
		return arena_printf(a, "crashed %s ago, and on_crash keeps it off", age);
	if (i->stopped == INTENT_WATCHDOG)
		return arena_printf(a, "its watchdog ran out %s ago, and on_watchdog keeps it off",
				    age);
	if (i->stopped == INTENT_SAVED)
		return arena_printf(a, "saved by hand %s ago", age);
	return arena_printf(a, "stopped %s %s ago",
			    i->stopped == INTENT_BY_HAND ? "by hand" : "from inside", age);
}

/* What the facts hold → the record that the manifest's is compared with. */
struct reading_in {
	struct arena *a;
	const struct facts *f;
	const struct domain *want; /* of the manifest; NULL: it is to go */
	const struct domain *wanted; /* and on this host: domain_wanted() */
	const struct xen_domain *x;
	json_object *made_as; /* its mark; NULL: none */
	struct domain *d;
};

/* Others write /dev/mapper/vg0-web for /dev/vg0/web, or a link for a disk. */
static bool same_disk(struct arena *a, const struct domain_disk *want, const struct xen_disk *disk)
{
	if (!want->target || !disk->target)
		return false;
	return streq(want->target, disk->target) || (want->id && streq(want->id, disk->id)) ||
	       streq(domain_disk_canonical(a, want->target),
		     domain_disk_canonical(a, disk->target));
}

static const char *named_in(const struct reading_in *in, const struct map *disks,
			    const struct xen_disk *disk, const char **ret_target)
{
	for (size_t i = 0; i < disks->n; i++) {
		const struct entry *e = &disks->entries[i];

		if (!same_disk(in->a, e->value, disk) || map_get(&in->d->disks, e->name))
			continue;
		*ret_target = ((struct domain_disk *)e->value)->target;
		return e->name;
	}
	return NULL;
}

static const char *disk_name(const struct reading_in *in, const struct xen_disk *disk,
			     const char **ret_target)
{
	*ret_target = disk->target;
	/* A drive is known by itself, not by what is in it. */
	for (size_t i = 0; disk->cdrom && in->wanted && i < in->wanted->disks.n; i++) {
		const struct entry *e = &in->wanted->disks.entries[i];
		const struct domain_disk *k = e->value;

		if (k->cdrom && streq(k->vdev, disk->vdev) && !map_get(&in->d->disks, e->name))
			return e->name;
	}
	if (in->wanted) {
		const char *name = named_in(in, &in->wanted->disks, disk, ret_target);

		if (!name)
			name = named_in(in, &in->wanted->parted, disk, ret_target);
		if (name)
			return name;
	}
	/* A disk of another target may bear this name in the manifest: then it has changed. */
	if (disk->vdev && !map_get(&in->d->disks, disk->vdev))
		return disk->vdev;
	return arena_printf(in->a, "disk%lld", (long long)disk->devid);
}

static const char *nic_name(const struct reading_in *in, const struct xen_nic *nic)
{
	for (size_t i = 0; in->want && i < in->want->nics.n; i++) {
		const struct entry *e = &in->want->nics.entries[i];

		if (nic->mac && streq(((struct domain_nic *)e->value)->mac, nic->mac) &&
		    !map_get(&in->d->nics, e->name))
			return e->name;
	}
	return arena_printf(in->a, "vif%lld", (long long)nic->devid);
}

static void add_uses(struct reading_in *in, struct actual *x, const char *kind, const char *name)
{
	if (!name)
		return;
	x->uses = arena_grow(in->a, (void *)x->uses, x->n_uses, sizeof(*x->uses));
	((const char **)x->uses)[x->n_uses++] = arena_printf(in->a, "%s/%s", kind, name);
}

/* One that came while the guest ran has none, whatever the manifest says; that is the next start's. */
static void fill_model(const struct reading_in *in, const char *name, const struct xen_nic *from,
		       struct domain_nic *n)
{
	const struct domain_nic *want = in->wanted ? map_get(&in->wanted->nics, name) : NULL;
	int model = domain_nic_model(in->made_as, from->mac);

	if (model >= 0)
		n->model = model;
	else if (want)
		n->model = want->model;
	field_mark(domain_nic_fields, n, "model");
}

static void fill_devices(struct reading_in *in, struct actual *actual)
{
	struct domain *d = in->d;

	for (size_t i = 0; i < in->x->disks.n; i++) {
		const struct xen_disk *from = in->x->disks.items[i];
		struct domain_disk *k = arena_alloc(in->a, sizeof(*k));
		const char *name, *target;

		if (from->unplugged)
			continue;

		name = disk_name(in, from, &target);
		*k = (struct domain_disk){
			.vdev = from->vdev,
			.target = target        ? target
				  : from->cdrom ? DISC_NONE
						: NULL,
			.read_only = from->read_only,
			.cdrom = from->cdrom ? DISC_NONE : NULL,
			.id = from->id,
			.changeable = from->cdrom && in->x->discs,
		};
		if (k->id)
			field_mark(domain_disk_fields, k, "id");
		field_mark(domain_disk_fields, k, "vdev");
		field_mark(domain_disk_fields, k, "read_only");
		if (k->target)
			field_mark(domain_disk_fields, k, "target");
		map_add(in->a, &d->disks, name, k);
		add_uses(in, actual, "volume",
			 from->target ? domain_volume_of(from->target) : NULL);
	}
	for (size_t i = 0; i < in->x->nics.n; i++) {
		const struct xen_nic *from = in->x->nics.items[i];
		struct domain_nic *n = arena_alloc(in->a, sizeof(*n));
		const char *name;

		if (from->unplugged)
			continue;

		*n = (struct domain_nic){
			.bridge = from->bridge,
			.mac = from->mac,
			.vif = from->vif,
			.devid = from->devid,
		};
		if (n->bridge)
			field_mark(domain_nic_fields, n, "bridge");
		if (n->mac)
			field_mark(domain_nic_fields, n, "mac");
		if (n->vif)
			field_mark(domain_nic_fields, n, "vif");
		field_mark(domain_nic_fields, n, "devid");
		name = nic_name(in, from);
		fill_model(in, name, from, n);
		map_add(in->a, &d->nics, name, n);
		add_uses(in, actual, "bridge", from->bridge);
	}
	domain_fill_pci(in->a, in->x, in->wanted, d);
	for (size_t i = 0; i < in->x->pci.n; i++)
		add_uses(in, actual, "pci", ((struct xen_pci *)in->x->pci.items[i])->address);
	domain_fill_usb(in->a, in->f, in->x, in->want, in->wanted, d);
	field_mark(&domain_table, d, "disks");
	field_mark(&domain_table, d, "nics");
}

static const char *state_word(const struct actual *actual, const struct xen_domain *x)
{
	if (actual->half_made)
		return "building";
	if (x->state == XEN_SHUTDOWN)
		return xen_reason_words[x->reason];
	return xen_state_words[x->state];
}

static void fill(struct reading_in *in, struct actual *actual)
{
	static const char *const always[] = {"uuid",       "type",      "memory",    "maxmem",
					     "vcpus",      "maxvcpus",  "state_now", "domid",
					     "memory_now", "vcpus_now", "ready_now"};
	const struct xen_domain *x = in->x;
	struct domain *d = in->d;

	d->uuid = x->uuid;
	d->type = x->type;
	d->memory = x->memory;
	d->maxmem = x->maxmem;
	d->vcpus = x->vcpus;
	d->maxvcpus = x->maxvcpus;
	d->state_now = state_word(actual, x);
	d->domid = x->domid;
	d->ready_now = x->ready;
	d->memory_now = x->memory_now;
	d->vcpus_now = x->vcpus_now;
	d->started = x->started;
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		field_mark(&domain_table, d, always[i]);
	if (x->started)
		field_mark(&domain_table, d, "started");
	if (x->shutdown_timeout) {
		d->shutdown_timeout = (uint64_t)x->shutdown_timeout;
		field_mark(&domain_table, d, "shutdown_timeout");
	}

	domain_read_hardware(in->a, x, in->made_as, in->wanted, d);
	domain_fill_screen(x, d);
	if (x->boot_known) {
		d->kernel_path = x->kernel ? x->kernel : BOOT_NONE;
		d->initrd_path = x->initrd ? x->initrd : BOOT_NONE;
		d->cmdline = x->cmdline ? x->cmdline : "";
	} else if (in->wanted) {
		/* Unknown is not different. */
		const struct domain *want = in->wanted;

		d->kernel_path = want->kernel_path;
		d->initrd_path = want->initrd_path;
		d->cmdline = want->cmdline;
	}
	if (d->kernel_path)
		field_mark(&domain_table, d, "kernel_path");
	if (d->initrd_path)
		field_mark(&domain_table, d, "initrd_path");
	if (d->cmdline)
		field_mark(&domain_table, d, "cmdline");
	fill_devices(in, actual);
}

static const char *note(struct arena *a, const struct facts *f, const struct actual *actual,
			const struct xen_domain *x)
{
	char now[NUM_TEXT], target[NUM_TEXT];

	if (actual->half_made)
		return "half-made";
	if (x->state == XEN_PAUSED)
		return domain_pause_note(a, f, x);
	if (x->state == XEN_SHUTDOWN && x->reason == XEN_SUSPEND)
		return x->saving ? "its saving was cut off" : "suspended by hand";
	if (x->state != XEN_RUNNING || !x->ran)
		return NULL;
	/* Its own counting may be off by some: what matters is a guest that did not follow. */
	if (x->memory_now + x->memory / 16 + 8 * MIB < x->memory ||
	    x->memory_now > x->memory + x->memory / 16 + 8 * MIB)
		return arena_printf(a, "has %s, was told to have %s", num_size(now, x->memory_now),
				    num_size(target, x->memory));
	return NULL;
}

static bool ours(const struct manifest *m, const struct xen_domain *x)
{
	char uuid[UUID_TEXT];

	if (!x->mark_uuid || !x->mark_name || !field_name_ok(x->mark_name))
		return false;
	if (!m || !m->namespace)
		return true;
	ident_uuid(m->namespace, "domain", x->mark_name, uuid);
	return streq(uuid, x->mark_uuid);
}

static const char *xen_uuid(const struct resource *r)
{
	return ((const struct domain *)r->record)->uuid;
}

/* Bears our UUID, no mark, and never ran: its making ended before the marks. One that the manifest gives may be of
 * somebody else's making: names and marks come together, so who has a name is whole. */
static const struct resource *unmarked(const struct manifest *m, const struct xen_domain *x)
{
	for (size_t i = 0; m && !x->mark_uuid && !x->ran && i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];

		if (r->kind == &kind_domain && streq(xen_uuid(r), x->uuid) &&
		    (streq(r->uuid, x->uuid) || !x->name))
			return r;
	}
	return NULL;
}

static bool have_already(const struct actuals *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!l->list[i].foreign && streq(l->list[i].name, name))
			return true;
	return false;
}

static void add_one(struct arena *a, const struct facts *f, const struct manifest *m,
		    const struct xen_domain *x, bool half_made_ones, struct actuals *ret)
{
	const struct resource *made_for = unmarked(m, x);
	bool mine = made_for || ours(m, x);
	bool half = mine && !x->ran && !streq(x->mark_state, "ready");
	const char *name = made_for ? made_for->name : x->mark_name;
	const struct resource *r;
	struct reading_in in;
	struct actual *actual;

	if (half != half_made_ones || (mine && have_already(ret, name)))
		return;
	if (!mine)
		name = x->name ? x->name : arena_printf(a, "domid-%lld", (long long)x->domid);
	r = mine && m ? manifest_find(m, "domain", name) : domain_counterpart(m, x);
	if (!mine && r)
		name = r->name;
	actual = actual_add(a, ret, &kind_domain, name);
	actual->foreign = !mine;
	actual->uuid = made_for ? made_for->uuid : x->mark_uuid;
	actual->half_made = half;
	actual->data = x;
	in = (struct reading_in){
		.a = a,
		.f = f,
		.want = r ? r->record : NULL,
		.wanted = r ? domain_wanted(a, f, m, r) : NULL,
		.x = x,
		.d = actual->record,
	};
	in.made_as = domain_settings_of(a, x, in.wanted);
	fill(&in, actual);
	json_object_put(in.made_as);
	actual->state = in.d->state_now;
	if (mine)
		actual->note = note(a, f, actual, x);
	if (mine && r && !actual->note && x->state == XEN_RUNNING)
		actual->note = domain_usb_note(a, f, r);
	else if (!mine && r)
		actual->note = arena_printf(a, "not Manor's yet: `manor adopt domain/%s`", name);
}

void domain_actual(struct arena *a, const struct facts *f, const struct manifest *m,
		   struct actuals *ret)
{
	const struct xen_facts *facts = xen_facts(f);

	/* Xen takes two of one UUID: the whole one is the domain, a half-made one beside it is not. */
	for (int half = 0; half < 2; half++) {
		for (size_t i = 0; i < facts->domains.n; i++) {
			const struct xen_domain *x = facts->domains.items[i];

			if (x->state != XEN_DYING)
				add_one(a, f, m, x, half, ret);
		}
	}
}

struct step *domain_step(struct planning *p, struct step *step, enum action action,
			 const struct resource *want, enum impact impact, const char *why)
{
	if (!step)
		step = plan_add(p->plan, action, &kind_domain, want->name, want->uuid);
	step->action = action;
	step->id = arena_printf(p->arena, "domain/%s:%s", want->name, action_words[action]);
	step->impact = impact;
	step->why = why;
	if (action != ACTION_RESTART)
		step->changes.n = 0;
	return step;
}

/* Another step of this domain, found before this one. */
static struct step *earlier(struct planning *p, const struct resource *want,
			    const struct step *step)
{
	for (size_t i = 0; step && &p->plan->steps[i] < step; i++)
		if (p->plan->steps[i].want == want)
			return &p->plan->steps[i];
	return NULL;
}

void domain_set_timeout(struct step *s, const struct domain *d)
{
	unsigned shutdown =
		d && d->shutdown_timeout ? (unsigned)d->shutdown_timeout : SHUTDOWN_DEFAULT;

	if (s->action == ACTION_UPDATE)
		s->timeout_s = UPDATE_TIMEOUT_S;
	else if (s->action == ACTION_REMOVE || s->action == ACTION_STOP)
		s->timeout_s = shutdown + UPDATE_TIMEOUT_S;
	else if (s->action == ACTION_RESTART)
		s->timeout_s = shutdown + UPDATE_TIMEOUT_S + CREATE_TIMEOUT_S;
	else
		s->timeout_s = CREATE_TIMEOUT_S;
}

static void hold_incapable(struct planning *p, const struct domain *d, struct step *s)
{
	const struct xen_facts *x = xen_facts(p->facts);
	const char *needs = d->type == XEN_PV ? "pv" : "hvm";

	if (x->virt_caps.n == 0 || list_has(&x->virt_caps, needs))
		return;
	step_hold(s, HOLD_CONFLICT,
		  d->type == XEN_PV
			  ? "this host's Xen can't run pv guests"
			  : "this host's processor can't run pvh and hvm guests (no hardware "
			    "virtualisation): say type: pv");
	s->hold_span = field_span(d, "type");
}

static void rest(struct planning *p, const struct resource *want, const char *why)
{
	const char *verb = streq(domain_absent_word(p->facts, want), "saved") ? "restore" : "start";

	plan_note(p->plan, NOTE_KEPT, arena_printf(p->arena, "domain/%s", want->name),
		  arena_printf(p->arena, "%s; `manor %s %s` %ss it", why, verb, want->name, verb));
}

static size_t removal_of(const struct plan *p, const struct xen_domain *x)
{
	for (size_t i = 0; x->mark_uuid && i < p->n; i++)
		if (p->steps[i].action == ACTION_REMOVE && p->steps[i].kind == &kind_domain &&
		    streq(p->steps[i].uuid, x->mark_uuid))
			return i;
	return SIZE_MAX;
}

/* Xen would take two of one UUID, and nobody could tell them apart. */
static void hold_twin(struct planning *p, const struct resource *want, struct step *s)
{
	const struct xen_facts *all = xen_facts(p->facts);

	for (size_t i = 0; i < all->domains.n; i++) {
		const struct xen_domain *x = all->domains.items[i];
		size_t goes;

		if (x->state == XEN_DYING || !streq(x->uuid, xen_uuid(want)) ||
		    streq(x->mark_uuid, want->uuid) || unmarked(p->manifest, x))
			continue;
		goes = removal_of(p->plan, x);
		if (goes != SIZE_MAX) {
			step_after(p->plan, s, goes, true);
			continue;
		}
		step_hold(s, HOLD_CONFLICT,
			  arena_printf(p->arena,
				       "domain %lld ('%s') has its UUID: no two may have it at the "
				       "same time",
				       (long long)x->domid, x->name ? x->name : "?"));
		s->hold_span = field_span(want->record, "uuid");
	}
}

void domain_hold_impossible(struct planning *p, const struct resource *want, struct step *s)
{
	hold_twin(p, want, s);
	domain_hold_diskless(p, want, s);
	domain_hold_saved_disks(p, want, s);
	domain_hold_fileless(p, want, s);
	domain_hold_cpuless(p, want, s);
	hold_incapable(p, want->record, s);
	domain_hold_pci(p, want, s);
	domain_hold_usb(p, want, s);
}

static void decide_absent(struct planning *p, const struct resource *want, struct step *step)
{
	const struct intent_domain *i = domain_intent(p->facts, want->name, want->uuid);
	const char *why = domain_rest(p->arena, p->facts, want);

	if (domain_kept_off(want)) {
		step_drop(step);
		return;
	}
	if (why) {
		step_drop(step);
		rest(p, want, why);
		return;
	}
	if (domain_decide_saved(p, want, false, step))
		return;
	if (i && i->stopped != INTENT_RUN && i->stopped != INTENT_SAVED)
		step->why = "its manifest changed since it stopped by itself";
	domain_set_timeout(step, want->record);
	domain_hold_impossible(p, want, step);
}

static void decide_half_made(struct planning *p, const struct resource *want, struct step *step)
{
	const char *why = domain_kept_off(want) ? "its manifest keeps it off"
						: domain_rest(p->arena, p->facts, want);

	if (why) {
		domain_step(p, step, ACTION_SETTLE, want, IMPACT_NONE,
			    arena_printf(p->arena, "half-made, and %s: to be cleared away", why));
		return;
	}
	if (domain_decide_saved(p, want, true, step))
		return;
	domain_set_timeout(step, want->record);
	domain_hold_impossible(p, want, step);
}

/* What is left out takes a restart, and needn't. */
static void note_going(struct planning *p, const struct resource *want, const struct step *s)
{
	const struct domain *have = s->have_record, *d = s->want_record;

	if (!have || s->impact <= p->plan->allowed)
		return;
	for (size_t i = 0; i < have->disks.n; i++) {
		const struct entry *e = &have->disks.entries[i];

		if (map_get(&d->disks, e->name) || map_get(&d->parted, e->name) ||
		    (d->type == XEN_HVM && domain_disk_emulated(e->value)))
			continue;
		plan_note(
			p->plan, NOTE_KEPT, arena_printf(p->arena, "domain/%s", want->name),
			arena_printf(p->arena,
				     "%s stays until a restart, for the guest may use it; unmount "
				     "it there and write the disk with 'attached: false', then it "
				     "goes at once",
				     ((struct domain_disk *)e->value)->vdev));
	}
}

/* A disk is taken from a guest with its help. */
static void hold_motionless(struct planning *p, const struct xen_domain *x, struct step *s)
{
	const struct domain *have = s->have_record, *d = s->want_record;

	for (size_t i = 0; x->state == XEN_PAUSED && i < have->disks.n; i++)
		if (!map_get(&d->disks, have->disks.entries[i].name))
			step_hold(
				s, HOLD_CONFLICT,
				arena_printf(p->arena,
					     "it is paused, and lets go of disk '%s' only when it "
					     "runs",
					     have->disks.entries[i].name));
}

/* A restart brings what an update would have: one step is enough where both may be done. */
static void absorb(struct planning *p, struct step *update, struct step *restart)
{
	struct changes all = {0};

	if (restart->impact > p->plan->allowed)
		return;
	all.n = update->changes.n + restart->changes.n;
	all.list = arena_alloc(p->arena, all.n * sizeof(*all.list));
	memcpy(all.list, update->changes.list, update->changes.n * sizeof(*all.list));
	memcpy(all.list + update->changes.n, restart->changes.list,
	       restart->changes.n * sizeof(*all.list));
	restart->changes = all;
	restart->why = arena_printf(p->arena, "%s, %s", update->why, restart->why);
	step_drop(update);
}

static void decide_running(struct planning *p, const struct resource *want,
			   const struct xen_domain *x, struct step *step)
{
	const struct intent_domain *i = domain_intent(p->facts, want->name, want->uuid);
	struct step *first = earlier(p, want, step);
	struct step *s;

	if (i && i->stopped == INTENT_BY_HAND) {
		s = domain_step(p, step, ACTION_STOP, want, IMPACT_LIVE,
				i->at_once ? "stop asked for by hand, at once"
					   : "stop asked for by hand");
		domain_set_timeout(s, want->record);
		if (i->timeout)
			s->timeout_s = (unsigned)i->timeout + UPDATE_TIMEOUT_S;
		return;
	}
	if (i && i->stopped == INTENT_SAVED) {
		domain_plan_save(p, want, x, step, "save asked for by hand");
		return;
	}
	if (domain_kept_off(want)) {
		s = domain_step(
			p, step, ACTION_STOP, want, IMPACT_LIVE,
			arena_printf(p->arena, "state: %s → stopped", xen_state_words[x->state]));
		domain_set_timeout(s, want->record);
		return;
	}
	if (i && i->restart_domid && i->restart_domid == x->domid) {
		s = domain_step(p, step, ACTION_RESTART, want, IMPACT_LIVE,
				i->at_once ? "restart asked for by hand, at once"
					   : "restart asked for by hand");
		domain_set_timeout(s, want->record);
		if (i->timeout)
			s->timeout_s += (unsigned)i->timeout;
		return;
	}
	if (step) {
		domain_set_timeout(step, want->record);
		if (step->action == ACTION_UPDATE) {
			hold_motionless(p, x, step);
			domain_hold_diskless(p, want, step);
			domain_hold_saved_disks(p, want, step);
			domain_hold_cpuless(p, want, step);
			domain_hold_usb(p, want, step);
		}
		if (step->action == ACTION_RESTART) {
			domain_say_maxmem(p, step);
			domain_note_port(p, step);
			domain_hold_impossible(p, want, step);
			note_going(p, want, step);
			if (first && first->action == ACTION_UPDATE)
				absorb(p, first, step);
		}
	}
	if (domain_pause(p, want, x))
		return;
	/* Marked ready, yet never unpaused: whoever made it was cut off between the two. */
	if (!first && x->state == XEN_PAUSED && !x->ran && !x->paused_for) {
		s = domain_step(p, NULL, ACTION_START, want, IMPACT_LIVE,
				"made, but never started");
		domain_set_timeout(s, want->record);
		return;
	}
	/* An update does it by the way, and a restart ends it. */
	if (!first &&
	    (!step || (step->action == ACTION_RESTART && step->impact > p->plan->allowed)))
		domain_end_saving(p, want, x);
}

/* The volumes of its that are to be made anew, by their numbers in the plan. */
static size_t rebuilt(const struct planning *p, const struct resource *want, size_t *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < p->plan->n; i++) {
		const struct step *s = &p->plan->steps[i];

		for (size_t k = 0; s->action == ACTION_REBUILD && k < want->n_needs; k++)
			if (want->needs[k] == s->want) {
				ret[n++] = i;
				break;
			}
	}
	return n;
}

/* Down, then its clones anew, then up: three steps, each of which finds out where it was cut off. */
static bool decide_rebuild(struct planning *p, const struct resource *want,
			   const struct actual *have)
{
	const struct intent_domain *i = domain_intent(p->facts, want->name, want->uuid);
	size_t *volumes, n, stop = SIZE_MAX;
	struct step *s;

	if (!i || !i->rebuild)
		return false;
	volumes = arena_alloc(p->arena, (p->plan->n + 1) * sizeof(*volumes));
	n = rebuilt(p, want, volumes);
	if (n == 0)
		return false; /* done, but for the start */
	for (size_t k = 0; k < p->plan->n; k++) {
		s = &p->plan->steps[k];
		if (s->want == want && s->action == ACTION_CREATE)
			return true; /* this was said */
	}
	for (size_t k = 0; k < p->plan->n; k++)
		if (p->plan->steps[k].want == want)
			step_drop(&p->plan->steps[k]);
	if (have) {
		s = plan_add(p->plan, ACTION_STOP, &kind_domain, want->name, want->uuid);
		s->impact = IMPACT_LIVE;
		s->why = "to be rebuilt, asked for by hand";
		domain_set_timeout(s, want->record);
		stop = p->plan->n - 1;
		for (size_t k = 0; k < n; k++)
			step_after(p->plan, &p->plan->steps[volumes[k]], stop, true);
	}
	if (domain_kept_off(want))
		return true;
	s = plan_add(p->plan, ACTION_CREATE, &kind_domain, want->name, want->uuid);
	s->impact = IMPACT_LIVE;
	s->why = "rebuilt";
	domain_set_timeout(s, want->record);
	for (size_t k = 0; k < n; k++)
		step_after(p->plan, s, volumes[k], true);
	if (stop != SIZE_MAX)
		step_after(p->plan, s, stop, true);
	return true;
}

static void decide(struct planning *p, const struct resource *want, const struct actual *have,
		   struct step *step)
{
	const struct xen_domain *x = have ? have->data : NULL;
	struct step *first;

	if (!want) {
		if (have)
			domain_set_timeout(step, have->record);
		if (have && step)
			domain_say_files(p, have, step);
		return;
	}
	domain_note_left(p, want, have && !have->half_made);
	domain_note_usb(p, want);
	if (decide_rebuild(p, want, have))
		return;
	if (!have) {
		decide_absent(p, want, step);
		return;
	}
	if (have->half_made) {
		decide_half_made(p, want, step);
		return;
	}
	/* One step does it all, unless it is the engine's own update beside its own restart. */
	first = earlier(p, want, step);
	if (first && (first->action != ACTION_UPDATE || first->dropped)) {
		step_drop(step);
		return;
	}
	if (x->state == XEN_SHUTDOWN)
		domain_decide_ended(p, want, x, step);
	else
		decide_running(p, want, x, step);
}

void domain_decide(struct planning *p, const struct resource *want, const struct actual *have,
		   struct step *step)
{
	decide(p, want, have, step);
	if (want)
		domain_await(p, want, have);
}

void domain_share(struct planning *p)
{
	if (!xen_facts(p->facts) || !intent_facts(p->facts))
		return;
	domain_hold_unfitting(p);
	domain_forget(p);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a storage lacks: the step that extends the group, grows the pool or mends it; and what is wrong
 * with it.
 */
#include "kinds/storage_plan.h"

#include "base/num.h"
#include "base/str.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/storage_apply.h"
#include "kinds/storage_device.h"
#include "kinds/storage_pool.h"
#include "kinds/storage_room.h"
#include "kinds/volume.h"

#define STEP_TIMEOUT_S 1800 /* LVM is waited for, never killed */

static const char *size_text(struct arena *a, uint64_t bytes)
{
	char buf[NUM_TEXT];

	return arena_strdup(a, num_size(buf, bytes));
}

/* The PVs that the host lacks, by what the manifest calls them where it names them. */
static const char *missing_devices(struct arena *a, const struct lvm_facts *l, const char *vg,
				   const struct storage *s)
{
	_cleanup_str_ struct str b = {0};

	for (size_t i = 0; i < l->pvs.n; i++) {
		const struct lvm_pv *p = l->pvs.items[i];
		const char *title = NULL;

		if (!p->missing || !streq(p->vg, vg))
			continue;
		for (size_t k = 0; s && k < s->devices.n && !title; k++) {
			const struct storage_device *d = s->devices.items[k];

			if (streq(d->pv, p->uuid))
				title = device_title(a, d);
		}
		str_addf(&b, "%s%s%sPV %s", b.n ? ", " : "", title ? title : "", title ? ", " : "",
			 p->uuid);
	}
	return b.n ? arena_strdup(a, b.s) : NULL;
}

const char *storage_trouble(struct arena *a, const struct lvm_facts *l, const char *vg,
			    const struct storage *s)
{
	_cleanup_str_ struct str uuids = {0};
	const struct lvm_vg *found = NULL;
	const char *missing;
	size_t n = 0;

	for (size_t i = 0; l && i < l->vgs.n; i++) {
		const struct lvm_vg *v = l->vgs.items[i];

		if (!streq(v->name, vg))
			continue;
		found = v;
		str_addf(&uuids, "%s%s", n++ ? ", " : "", v->uuid);
	}
	if (!found)
		return NULL;
	if (n > 1)
		return arena_printf(
			a,
			"%zu volume groups are called %s (%s): LVM can't be told which is "
			"meant; see which is on which disk with 'pvs -o +vg_uuid' and "
			"rename the other with 'vgrename UUID NAME'",
			n, vg, uuids.s);
	if (found->exported)
		return arena_printf(
			a,
			"volume group %s is exported, out of use: 'vgimport %s' takes it "
			"back",
			vg, vg);
	if (!found->partial)
		return NULL;
	missing = missing_devices(a, l, vg, s);
	return arena_printf(
		a,
		"a device of volume group %s is missing%s%s%s: nothing in it can be changed; "
		"connect it again, or, if it is gone for good and what was on it with it, "
		"'vgreduce --removemissing --force %s'",
		vg, missing ? " (" : "", missing ? missing : "", missing ? ")" : "", vg);
}

struct decision {
	struct planning *p;
	const struct resource *want;
	struct str why;
	const char *refused; /* a conflict: its first reason */
	const char *pending; /* what is asked for and never done by itself */
	struct list purges;  /* of strings: tombstones' LVs */
	const char *loses;   /* what goes with them */
	struct span span;
	bool work; /* something is to be done */
};

static void because(struct decision *d, const char *text)
{
	str_addf(&d->why, "%s%s", d->why.n ? ", " : "", text);
	d->work = true;
}

/* The storage before this one in the manifest that means the same disk, by whatever name; or NULL. */
static const struct resource *other_taker(struct decision *d, const struct blk_disk *disk)
{
	const struct manifest *m = d->p->manifest;

	for (size_t i = 0; i < m->n_resources && m->resources[i] != d->want; i++) {
		const struct resource *r = m->resources[i];
		const struct storage *s = r->record;
		struct device one;

		if (r->kind != &kind_storage)
			continue;
		for (size_t k = 0; k < s->devices.n; k++) {
			device_find(d->p->arena, d->p->facts, r->name, s->devices.items[k], &one);
			if (one.disk == disk)
				return r;
		}
	}
	return NULL;
}

/* Which disks come in; which the manifest names no longer. Returns the bytes that come in. */
static uint64_t decide_devices(struct decision *d, const struct storage *s, bool complete)
{
	struct arena *a = d->p->arena;
	const struct lvm_facts *l = lvm_facts(d->p->facts);
	_cleanup_(freep) struct device *all = xcalloc(s->devices.n + 1, sizeof(*all));
	uint64_t bytes = 0;

	for (size_t i = 0; i < s->devices.n; i++) {
		const struct storage_device *one = s->devices.items[i];
		const struct resource *other;

		device_find(a, d->p->facts, d->want->name, one, &all[i]);
		for (size_t k = 0; k < i && all[i].disk; k++)
			if (all[k].disk == all[i].disk) {
				all[i].state = DEVICE_REFUSED;
				all[i].why = arena_printf(a, "%s and %s are one disk, %s",
							  device_title(a, all[k].want),
							  device_title(a, one), all[i].disk->path);
			}
		other = all[i].state == DEVICE_EMPTY ? other_taker(d, all[i].disk) : NULL;
		if (other) {
			all[i].state = DEVICE_REFUSED;
			all[i].why =
				arena_printf(a, "%s, %s, is taken by %s already", all[i].disk->path,
					     device_title(a, one), resource_title(a, other));
		}
		if (all[i].state == DEVICE_REFUSED && !d->refused) {
			d->refused = all[i].help
					     ? arena_printf(a, "%s; %s", all[i].why, all[i].help)
					     : all[i].why;
			d->span = field_span(one, device_key(one));
		}
		if (all[i].state != DEVICE_EMPTY && all[i].state != DEVICE_OURS)
			continue;
		bytes += all[i].disk->size > EXTENT ? all[i].disk->size / EXTENT * EXTENT - EXTENT
						    : 0;
		because(d, arena_printf(a, "%s %s (%s)", complete ? "add" : "take",
					all[i].disk->path, size_text(a, all[i].disk->size)));
	}
	for (size_t i = 0; complete && i < l->pvs.n && !d->pending; i++) {
		const struct lvm_pv *pv = l->pvs.items[i];
		bool named = false, doubt = false;

		for (size_t k = 0; k < s->devices.n; k++) {
			named |= all[k].disk && streq(all[k].disk->pv_uuid, pv->uuid);
			named |= streq(all[k].want->pv, pv->uuid);
			doubt |= !all[k].disk; /* one that isn't found may be this one */
		}
		if (streq(pv->vg, d->want->name) && !named && !doubt)
			d->pending = arena_printf(
				a,
				"%s is in the group and no longer in the manifest; what is on it "
				"isn't moved by itself: name it again, or do 'pvmove %s' and "
				"'vgreduce %s %s'",
				pv->name, pv->name, d->want->name, pv->name);
	}
	return bytes;
}

static void decide_pool(struct decision *d, const struct storage *s, uint64_t vg_size,
			uint64_t vg_free, const struct lvm_lv *pool)
{
	struct arena *a = d->p->arena;
	struct pool_sizes have = {0}, target;
	uint64_t needed;

	if (pool)
		have = (struct pool_sizes){pool->size, pool->metadata_size};
	if (pool && !d->pending && pool_shrinks(&s->pool, vg_size, &have)) {
		d->pending = arena_printf(a,
					  "the pool has %s, the manifest asks for %s; a pool is "
					  "never shrunk",
					  size_text(a, have.data), s->pool.size);
		d->span = field_span(&s->pool.rec, "size");
		storage_room(d->p, d->want->name, have.data, vg_free);
		return;
	}
	if (pool_target(&s->pool, vg_size, vg_free, &have, &target, &needed) < 0) {
		if (!d->refused) {
			d->refused = arena_printf(
				a,
				"the pool (%s, and twice its metadata) doesn't fit: %s more is "
				"needed than the group has, %s",
				s->pool.size ? s->pool.size : "90%VG", size_text(a, needed),
				size_text(a, vg_free + have.data));
			d->span = field_span(&s->pool.rec, "size");
		}
		return;
	}
	storage_room(d->p, d->want->name, target.data,
		     vg_free + have.data + 2 * have.metadata - target.data - 2 * target.metadata);
	if (!pool)
		because(d, arena_printf(a, "thin pool of %s", size_text(a, target.data)));
	else if (target.data > have.data)
		because(d, arena_printf(a, "pool: %s → %s", size_text(a, have.data),
					size_text(a, target.data)));
	if (pool && target.metadata > have.metadata)
		because(d, arena_printf(a, "pool metadata: %s → %s", size_text(a, have.metadata),
					size_text(a, target.metadata)));
	if (pool && pool->kernel_transaction_id >= 0 &&
	    pool->kernel_transaction_id != pool->transaction_id)
		because(d, arena_printf(a,
					"mend the pool: it is at transaction %lld, its metadata at "
					"%lld",
					(long long)pool->kernel_transaction_id,
					(long long)pool->transaction_id));
}

static void note_fullness(struct planning *p, const char *name, const struct lvm_lv *pool)
{
	const char *subject = arena_printf(p->arena, "storage/%s", name);

	if (pool->data_percent > WARN_FULL || pool->metadata_percent > WARN_FULL)
		plan_note(p->plan, NOTE_WARNING, subject,
			  arena_printf(p->arena, "its pool is %s full, its metadata %s",
				       percent_text(p->arena, pool->data_percent),
				       percent_text(p->arena, pool->metadata_percent)));
	if (pool->health)
		plan_note(p->plan, NOTE_WARNING, subject,
			  arena_printf(p->arena, "its pool is unwell: %s", pool->health));
}

/* Expired tombstones go where the manifest says so, in so many words; else they are named. One whose
 * burial was cut off before its day was written on it goes by hand alone. */
static void decide_expired(struct decision *d, const struct storage *s)
{
	struct planning *p = d->p;
	const struct lvm_facts *l = lvm_facts(p->facts);
	_cleanup_str_ struct str names = {0};
	struct tombstone *list;
	size_t n;

	volume_tombstones(p->arena, p->facts, p->manifest, &list, &n);
	for (size_t i = 0; i < n; i++) {
		const struct lvm_lv *lv = lvm_lv(l, list[i].vg, list[i].lv);

		if (!list[i].ours || !streq(list[i].vg, d->want->name) ||
		    list[i].expires > p->facts->time)
			continue;
		if (s->tombstones.purge && lvm_tag_value(&lv->tags, TAG_TRASH)) {
			list_add(p->arena, &d->purges, (void *)list[i].lv);
			str_addf(&names, "%s%s (%s)", names.n ? ", " : "", list[i].name,
				 size_text(p->arena, list[i].size));
			continue;
		}
		plan_note(p->plan, NOTE_KEPT, arena_printf(p->arena, "volume/%s", list[i].name),
			  arena_printf(p->arena,
				       "removed long ago, its tombstone has expired: "
				       "'manor trash empty %s/%s' frees its space",
				       list[i].vg, list[i].lv));
	}
	if (!d->purges.n)
		return;
	because(d, arena_printf(p->arena, "destroy %zu expired tombstone%s", d->purges.n,
				d->purges.n > 1 ? "s" : ""));
	d->loses = arena_strdup(p->arena, names.s);
}

static struct step *usual(struct planning *p, struct step *s)
{
	s->serial = arena_printf(p->arena, "vg/%s", s->name);
	s->timeout_s = STEP_TIMEOUT_S;
	return s;
}

void storage_decide(struct planning *p, const struct resource *want, const struct actual *have,
		    struct step *step)
{
	struct decision d = {.p = p, .want = want};
	const struct lvm_facts *l = lvm_facts(p->facts);
	const struct storage *s = want ? want->record : NULL;
	const struct lvm_vg *vg;
	const struct lvm_lv *pool, *any;
	bool complete = have && !have->half_made;
	uint64_t more, back = 0;

	if (!want) {
		usual(p, step)->why = "released: its marks are taken off, nothing is destroyed";
		return;
	}
	if (step && step->hold != HOLD_NO)
		return; /* something foreign of that name */
	vg = have ? lvm_vg(l, want->name) : NULL;
	pool = complete ? storage_pool_of(l, want->name) : NULL;
	any = vg && !complete ? lvm_lv(l, vg->name, STORAGE_POOL) : NULL;
	if (any && !lvm_our_id(p->manifest, "storage", vg->name, &any->tags))
		d.refused = arena_printf(p->arena, POOL_FOREIGN "; " POOL_FOREIGN_HELP, vg->name,
					 want->uuid, vg->name);
	else if (any)
		back = any->size; /* cut short: it is taken away first */
	if (!d.refused && vg)
		d.refused = storage_trouble(p->arena, l, want->name, s);
	if (d.refused)
		d.span = field_span(s, "devices");
	more = decide_devices(&d, s, complete);
	if (!d.refused)
		decide_pool(&d, s, (vg ? vg->size : 0) + more, (vg ? vg->free : 0) + back + more,
			    pool);
	if (complete && pool && vg) {
		note_fullness(p, want->name, pool);
		if (!d.refused)
			decide_expired(&d, s);
	}
	if (!step && (d.work || d.refused)) {
		step = plan_add(p->plan, ACTION_UPDATE, want->kind, want->name, want->uuid);
		step->impact = IMPACT_LIVE;
	}
	if (step) {
		usual(p, step);
		if (d.purges.n) {
			struct storage *purging = arena_alloc(p->arena, sizeof(*purging));

			*purging = *s;
			purging->purges = d.purges;
			field_mark(&storage_table, purging, "purges");
			step->want = want;
			step->want_record = purging;
			step->loses = d.loses;
		}
		if (d.why.n && step->changes.n)
			step->why = arena_printf(p->arena, "%s, %s", d.why.s, step->why);
		else if (d.why.n)
			step->why = arena_strdup(p->arena, d.why.s);
		if (d.refused)
			step_hold_at(step, HOLD_CONFLICT, d.span, d.refused);
	}
	/* What is asked for and never done by itself stands beside it, and stops nobody. */
	if (d.pending && !d.refused) {
		step = usual(p,
			     plan_add(p->plan, ACTION_UPDATE, want->kind, want->name, want->uuid));
		step->id =
			arena_printf(p->arena, "%s:%s", step->id, impact_words[IMPACT_DATA_LOSS]);
		step->impact = IMPACT_DATA_LOSS;
		step->why = "what the manifest asks for can't be done live";
		step->hold_span = d.span;
		step_hold(step, HOLD_IMPACT, d.pending);
	}
	str_done(&d.why);
}

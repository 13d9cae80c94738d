/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Storage: an LVM volume group with one thin pool. Which disks and how much of them can't be compared
 * field by field (a serial with a PV, a share with bytes), so decide() compares: it adds the step that
 * extends the group, grows the pool or mends it. storage_apply.c does it.
 */
#include "kinds/storage.h"

#include <errno.h>

#include "base/num.h"
#include "base/str.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/storage_apply.h"
#include "kinds/storage_device.h"
#include "kinds/storage_pool.h"
#include "kinds/volume.h"

/* Of a percentage, in hundredths: nothing new is put into a pool beyond the first two. */
#define DATA_FULL     9500
#define METADATA_FULL 9000
#define WARN_FULL     8000

#define MAKE_ROOM                                                                                  \
	"grow it, or remove volumes (tombstones hold their data: manor undelete lists them)"

#define STEP_TIMEOUT_S 1800 /* LVM is waited for, never killed */

TABLE(storage_device_table, storage_device, "device",
      "A disk, by what stays the same when cables and kernels change.",
      {.name = "serial", .type = FIELD_STRING, .offset = FIELD_AT(storage_device, serial),
       .max = 255, .doc = "its serial number, as 'manor facts' shows it"},
      {.name = "wwid", .type = FIELD_STRING, .offset = FIELD_AT(storage_device, wwid), .max = 255,
       .doc = "its world-wide id, as 'manor facts' shows it"},
      {.name = "path", .type = FIELD_STRING, .offset = FIELD_AT(storage_device, path),
       .parse = parse_path,
       .doc = "a link that stays, such as /dev/disk/by-path/…; for partitions too"},
      {.name = "pv", .type = FIELD_STRING, .offset = FIELD_AT(storage_device, pv),
       .flags = FIELD_DERIVED, .doc = "the UUID that LVM's label on it bears"});

TABLE(storage_pool_table, storage_pool, "pool", "The thin pool that volumes are cut from.",
      {.name = "size", .type = FIELD_STRING, .offset = FIELD_AT(storage_pool, size),
       .parse = parse_pool_size, .flags = FIELD_SHORT, .def = "90%VG",
       .doc = "how large: a share of the group or a size; grown live, never shrunk"},
      {.name = "metadata", .type = FIELD_STRING, .offset = FIELD_AT(storage_pool, metadata),
       .parse = parse_pool_metadata, .def = "auto",
       .doc = "room for its maps: auto (1/256 of the size, at least 8 MiB) or a size; it is "
	      "needed twice, for LVM keeps a spare"},
      {.name = "overcommit", .type = FIELD_STRING, .offset = FIELD_AT(storage_pool, overcommit),
       .parse = parse_overcommit, .def = "true",
       .doc = "whether its volumes may add up to more than it holds: true, false, or how many "
	      "times, such as 1.5"});

TABLE(storage_table, storage, "storage", "A volume group with one thin pool, named like it.",
      {.name = "devices", .type = FIELD_LIST, .offset = FIELD_AT(storage, devices),
       .sub = &storage_device_table, .flags = FIELD_REQUIRED | FIELD_CONFIG,
       .impact = IMPACT_LIVE,
       .doc = "its disks; one that bears anything at all is refused, one that leaves the list "
	      "stays in the group"},
      {.name = "pool", .type = FIELD_SUB, .offset = FIELD_AT(storage, pool),
       .sub = &storage_pool_table, .flags = FIELD_CONFIG, .impact = IMPACT_LIVE,
       .doc = "the thin pool"},
      {.name = "pvs", .type = FIELD_LIST, .offset = FIELD_AT(storage, pvs), .flags = FIELD_STATUS,
       .doc = "the devices in the group"},
      {.name = "vg_size", .type = FIELD_SIZE, .offset = FIELD_AT(storage, vg_size),
       .flags = FIELD_STATUS, .doc = "size of the group"},
      {.name = "vg_free", .type = FIELD_SIZE, .offset = FIELD_AT(storage, vg_free),
       .flags = FIELD_STATUS, .doc = "of the group, free"},
      {.name = "pool_size", .type = FIELD_SIZE, .offset = FIELD_AT(storage, pool_size),
       .flags = FIELD_STATUS, .doc = "size of the pool"},
      {.name = "pool_virtual", .type = FIELD_SIZE, .offset = FIELD_AT(storage, pool_virtual),
       .flags = FIELD_STATUS, .doc = "sum of its volumes' sizes, bases apart"},
      {.name = "data_percent", .type = FIELD_INT, .offset = FIELD_AT(storage, data_percent),
       .flags = FIELD_STATUS, .doc = "of the pool, in use, in hundredths; -1: not known"},
      {.name = "metadata_percent", .type = FIELD_INT,
       .offset = FIELD_AT(storage, metadata_percent), .flags = FIELD_STATUS,
       .doc = "of its metadata, in use, in hundredths; -1: not known"},
      {.name = "clones", .type = FIELD_INT, .offset = FIELD_AT(storage, clones),
       .flags = FIELD_STATUS, .doc = "how many volumes came from a template"});

static const char *size_text(struct arena *a, uint64_t bytes)
{
	char buf[NUM_TEXT];

	return arena_strdup(a, num_size(buf, bytes));
}

static const char *percent_text(struct arena *a, int64_t hundredths)
{
	return arena_printf(a, "%lld.%lld %%", (long long)hundredths / 100,
			    (long long)hundredths % 100 / 10);
}

/* --- names: vgcreate(8), lvm(8) "VALID NAMES" --- */

/* device-mapper joins the group's name and the volume's with '-', doubles those within, and holds 127
 * characters; a tombstone is the longest name that a volume ever bears. */
#define DM_NAME_MAX     127
#define TOMBSTONE_EXTRA 17 /* "trash.1700000000." */

static size_t dm_length(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '-' ? 2 : 1;
	return n;
}

const char *storage_name_bad(struct arena *a, const char *storage)
{
	/* Folders in /dev that are somebody else's. */
	static const char *const taken[] = {
		"block", "bsg",    "bus",    "char", "cpu", "disk", "dri", "fd",   "hugepages",
		"input", "mapper", "mqueue", "net",  "pts", "shm",  "snd", "vfio", "xen"};

	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		if (streq(storage, taken[i]))
			return arena_printf(a, "/dev/%s is somebody else's", storage);
	return NULL;
}

const char *storage_volume_bad(struct arena *a, const char *storage, const char *volume)
{
	size_t n = dm_length(storage) + 1 + TOMBSTONE_EXTRA + dm_length(volume);

	if (streq(volume, STORAGE_POOL))
		return "it is the name of the thin pool";
	if (startswith(volume, "snapshot") || startswith(volume, "pvmove"))
		return "LVM keeps names that begin with 'snapshot' or 'pvmove' for itself";
	if (startswith(volume, "base.") || startswith(volume, "trash."))
		return "names that begin with 'base.' or 'trash.' are kept for templates and "
		       "removed volumes";
	if (n > DM_NAME_MAX)
		return arena_printf(a,
				    "together with its storage's it is %zu characters too long for "
				    "LVM (each '-' counts twice)",
				    n - DM_NAME_MAX);
	return NULL;
}

/* --- the manifest --- */

static void prepare_device(struct manifest *m, struct resource *r, struct storage_device *d)
{
	char uuid[PV_UUID_TEXT];
	struct span span = d->rec.node ? d->rec.node->span : r->span;
	const struct table *t = &storage_device_table;
	unsigned given = field_given(t, d, "serial") + field_given(t, d, "wwid") +
			 field_given(t, d, "path");

	if (given == 0 && field_strange(t, d))
		return;
	if (given != 1) {
		struct diag *g = diag_error(m->diags, "bad-device", span,
					    given ? "a device of %s is named in more than one way"
						  : "a device of %s has no name",
					    resource_title(m->arena, r));
		diag_help(m->diags, g, "give exactly one of serial, wwid and path");
		return;
	}
	if (!d->serial && !d->wwid && !d->path)
		return; /* what is wrong with it was said */
	if (d->path && !startswith(d->path, "/dev/")) {
		diag_error(m->diags, "bad-device", field_span(d, "path"), "'%s' is no device",
			   d->path);
		return;
	}
	if (d->path && strchr(d->path + 5, '/') == NULL && strncmp(d->path, "/dev/loop", 9) != 0) {
		struct diag *g = diag_warn(m->diags, "unstable-name", field_span(d, "path"),
					   "'%s' may be another disk after the next boot", d->path);
		diag_help(m->diags, g, "name it by serial, wwid or /dev/disk/by-path/…");
	}
	device_pv_uuid(m->namespace, r->name, d, uuid);
	d->pv = arena_strdup(m->arena, uuid);
	field_mark(&storage_device_table, d, "pv");
}

static void storage_prepare(struct manifest *m, struct resource *r)
{
	struct storage *s = r->record;
	const char *why = storage_name_bad(m->arena, r->name);

	if (why)
		diag_error(m->diags, "bad-name", r->span, "storage can't be named '%s': %s",
			   r->name, why);
	if (s->devices.n == 0 && field_is_set(&storage_table, s, "devices"))
		diag_error(m->diags, "no-devices", field_span(s, "devices"),
			   "storage '%s' has no devices", r->name);
	for (size_t i = 0; i < s->devices.n; i++)
		prepare_device(m, r, s->devices.items[i]);
}

static bool same_device(const struct storage_device *x, const struct storage_device *y)
{
	return (x->serial && streq(x->serial, y->serial)) || (x->wwid && streq(x->wwid, y->wwid)) ||
	       (x->path && streq(x->path, y->path));
}

/* Whether any device before this one, of this storage or of another, is the same. */
static void check_twice(struct manifest *m, const struct resource *r, size_t index)
{
	const struct storage_device *d = ((struct storage *)r->record)->devices.items[index];

	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *other = m->resources[i];
		const struct storage *s = other->record;

		if (other->kind != &kind_storage)
			continue;
		for (size_t k = 0; k < s->devices.n; k++) {
			const struct storage_device *x = s->devices.items[k];
			struct diag *g;

			if (x == d)
				return;
			if (!same_device(d, x))
				continue;
			g = diag_error(m->diags, "device-twice", field_span(d, device_key(d)),
				       "device %s is named twice", device_title(m->arena, d));
			diag_also(m->diags, g, field_span(x, device_key(x)), "first here, by %s",
				  resource_title(m->arena, other));
			return;
		}
	}
}

/* The sum of what volumes are promised out of the pool; sizes that follow from a base are taken from
 * the facts, or left out while it isn't there. */
static uint64_t promised(const struct manifest *m, const struct lvm_facts *l, const char *storage,
			 const struct resource **ret_largest)
{
	const struct resource *largest = NULL;
	uint64_t sum = 0, most = 0;

	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct volume *v = r->record;
		const struct lvm_lv *base;
		uint64_t size;

		if (r->kind != &kind_volume || !v->thin || !streq(v->storage, storage))
			continue;
		base = v->base ? lvm_base(l, storage, v->base) : NULL;
		size = v->size ? v->size : base ? base->size : 0;
		sum += size;
		if (size > most) {
			most = size;
			largest = r;
		}
	}
	*ret_largest = largest;
	return sum;
}

static void check_promise(struct manifest *m, const struct resource *r)
{
	const struct storage_pool *p = &((struct storage *)r->record)->pool;
	const struct resource *largest;
	uint64_t pool = pool_bytes(p), sum, most;
	struct diag *g;

	if (!pool)
		return; /* a share of a group that only the host knows: decided there */
	most = pool_promise(p, pool);
	sum = promised(m, NULL, r->name, &largest);
	if (sum <= most)
		return;
	g = diag_error(m->diags, "pool-too-small", field_span(&p->rec, "size"),
		       "the pool of storage '%s' is too small: its volumes add up to %s, it may "
		       "carry %s",
		       r->name, size_text(m->arena, sum), size_text(m->arena, most));
	diag_also(m->diags, g, largest->span, "the largest: %s",
		  size_text(m->arena, ((struct volume *)largest->record)->size));
	diag_also(m->diags, g, field_span(&p->rec, "overcommit"), "overcommit is limited here");
	diag_help(m->diags, g, "raise pool.size, lower the volumes, or allow overcommit");
}

static void storage_check(struct manifest *m)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct storage *s = r->record;

		if (r->kind != &kind_storage)
			continue;
		for (size_t k = 0; k < s->devices.n; k++)
			check_twice(m, r, k);
		check_promise(m, r);
	}
}

/* --- what is there --- */

static void mark_all(struct storage *s)
{
	static const char *const names[] = {
		"pvs",          "vg_size",      "vg_free",          "pool_size",
		"pool_virtual", "data_percent", "metadata_percent", "clones"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		field_mark(&storage_table, s, names[i]);
}

static void fill(struct arena *a, const struct lvm_facts *l, const struct lvm_vg *vg,
		 struct storage *s)
{
	const struct lvm_lv *pool = lvm_lv(l, vg->name, STORAGE_POOL);

	s->vg_size = vg->size;
	s->vg_free = vg->free;
	s->pool_size = pool ? pool->size : 0;
	s->data_percent = pool ? pool->data_percent : -1;
	s->metadata_percent = pool ? pool->metadata_percent : -1;
	for (size_t i = 0; i < l->pvs.n; i++) {
		const struct lvm_pv *p = l->pvs.items[i];

		if (streq(p->vg, vg->name))
			list_add(a, &s->pvs, (void *)p->name);
	}
	for (size_t i = 0; i < l->lvs.n; i++) {
		const struct lvm_lv *v = l->lvs.items[i];
		const char *base = lvm_tag_value(&v->tags, TAG_BASE);
		const char *id = lvm_tag_value(&v->tags, TAG_ID);

		if (!streq(v->vg, vg->name) || !streq(v->pool, STORAGE_POOL) || (base && !id))
			continue;
		s->pool_virtual += v->size;
		s->clones += base != NULL;
	}
	mark_all(s);
}

static void storage_actual(struct arena *a, const struct facts *f, const struct manifest *m,
			   struct actuals *ret)
{
	const struct lvm_facts *l = lvm_facts(f);

	for (size_t i = 0; i < l->vgs.n; i++) {
		const struct lvm_vg *vg = l->vgs.items[i];
		struct actual *x = actual_add(a, ret, &kind_storage, vg->name);
		const struct resource *r;
		const struct lvm_lv *pool;

		x->uuid = lvm_our_id(m, "storage", vg->name, &vg->tags);
		x->foreign = !x->uuid;
		x->data = vg;
		fill(a, l, vg, x->record);
		if (x->foreign) {
			r = m ? manifest_find(m, "storage", vg->name) : NULL;
			if (r)
				x->note = arena_printf(
					a,
					"volume group %s is there and bears no mark of ours; to have it "
					"taken over: 'vgchange --addtag " TAG_ID "=%s %s'",
					vg->name, r->uuid, vg->name);
			continue;
		}
		pool = storage_pool_of(l, vg->name);
		x->half_made = !pool || !lvm_our_id(m, "storage", vg->name, &pool->tags);
		if (pool && !lvm_tag_value(&pool->tags, TAG_ID))
			x->note = "its thin pool bears no mark of ours";
		else if (vg->partial)
			x->note = "a device of it is missing";
		else if (pool && pool->health)
			x->note = arena_printf(a, "its thin pool is unwell: %s", pool->health);
		x->state = vg->partial ? "partial" : x->half_made ? "half-made" : "up";
	}
}

/* --- deciding --- */

const char *storage_admit(struct arena *a, const struct facts *f, const char *storage,
			  uint64_t bytes)
{
	const struct lvm_lv *pool = storage_pool_of(lvm_facts(f), storage);
	uint64_t used, left;

	if (!pool)
		return NULL;
	if (streq(pool->health, "out_of_data"))
		return arena_printf(a, "pool %s/%s is full; " MAKE_ROOM, storage, STORAGE_POOL);
	if (pool->health)
		return arena_printf(a, "pool %s/%s is unwell: %s", storage, STORAGE_POOL,
				    pool->health);
	if (pool->metadata_percent > METADATA_FULL)
		return arena_printf(a, "the metadata of pool %s/%s is %s full", storage,
				    STORAGE_POOL, percent_text(a, pool->metadata_percent));
	if (pool->data_percent < 0)
		return NULL;
	used = pool->size / 10000 * (uint64_t)pool->data_percent;
	left = pool->size > used ? pool->size - used : 0;
	if (bytes > left)
		return arena_printf(a, "pool %s/%s is %s full: needs %s, has %s free; " MAKE_ROOM,
				    storage, STORAGE_POOL, percent_text(a, pool->data_percent),
				    size_text(a, bytes), size_text(a, left));
	if (pool->data_percent > DATA_FULL)
		return arena_printf(a,
				    "pool %s/%s is %s full, %s of %s free: above %d %% nothing new "
				    "is put into it; " MAKE_ROOM,
				    storage, STORAGE_POOL, percent_text(a, pool->data_percent),
				    size_text(a, left), size_text(a, pool->size), DATA_FULL / 100);
	return NULL;
}

/* As storage_check(), where only the host knows how large the pool is. NULL: fine. */
const char *storage_overcommitted(struct arena *a, const struct manifest *m, const struct facts *f,
				  const char *storage)
{
	const struct resource *r = manifest_find(m, "storage", storage), *largest;
	const struct lvm_lv *pool = storage_pool_of(lvm_facts(f), storage);
	const struct storage *s = r ? r->record : NULL;
	uint64_t most, sum;

	if (!s || !pool)
		return NULL;
	most = pool_promise(&s->pool, pool->size);
	sum = promised(m, lvm_facts(f), storage, &largest);
	if (sum <= most)
		return NULL;
	return arena_printf(a,
			    "pool %s/%s is promised to more than it may carry: volumes of %s, "
			    "limit %s (pool.overcommit: %s)",
			    storage, STORAGE_POOL, size_text(a, sum), size_text(a, most),
			    s->pool.overcommit);
}

struct decision {
	struct planning *p;
	const struct resource *want;
	struct str why;
	const char *refused; /* a conflict: its first reason */
	const char *pending; /* what is asked for and never done by itself */
	struct span span;
	bool work; /* something is to be done */
};

static void because(struct decision *d, const char *text)
{
	str_addf(&d->why, "%s%s", d->why.n ? ", " : "", text);
	d->work = true;
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

		device_find(a, d->p->facts, d->want->name, one, &all[i]);
		for (size_t k = 0; k < i && all[i].disk; k++)
			if (all[k].disk == all[i].disk) {
				all[i].state = DEVICE_REFUSED;
				all[i].why = arena_printf(a, "%s and %s are one disk, %s",
							  device_title(a, all[k].want),
							  device_title(a, one), all[i].disk->path);
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
	if (!pool->error_when_full)
		plan_note(p->plan, NOTE_WARNING, subject,
			  "its pool queues writes when it is full: guests would hang; "
			  "'lvchange --errorwhenfull y' cures it");
	if (pool->health)
		plan_note(p->plan, NOTE_WARNING, subject,
			  arena_printf(p->arena, "its pool is unwell: %s", pool->health));
}

static void note_expired(struct planning *p, const char *name)
{
	struct tombstone *list;
	size_t n;

	volume_tombstones(p->arena, p->facts, p->manifest, &list, &n);
	for (size_t i = 0; i < n; i++) {
		if (!list[i].ours || !streq(list[i].vg, name) || list[i].expires > p->facts->time)
			continue;
		plan_note(p->plan, NOTE_KEPT, arena_printf(p->arena, "volume/%s", list[i].name),
			  arena_printf(p->arena,
				       "removed long ago, its tombstone has expired: "
				       "'lvremove %s/%s' frees its space",
				       list[i].vg, list[i].lv));
	}
}

static struct step *usual(struct planning *p, struct step *s)
{
	s->serial = arena_printf(p->arena, "vg/%s", s->name);
	s->timeout_s = STEP_TIMEOUT_S;
	return s;
}

static void storage_decide(struct planning *p, const struct resource *want,
			   const struct actual *have, struct step *step)
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
	more = decide_devices(&d, s, complete);
	if (!d.refused)
		decide_pool(&d, s, (vg ? vg->size : 0) + more, (vg ? vg->free : 0) + back + more,
			    pool);
	if (complete && pool && vg) {
		note_fullness(p, want->name, pool);
		note_expired(p, want->name);
		if (vg->partial)
			plan_note(p->plan, NOTE_WARNING,
				  arena_printf(p->arena, "storage/%s", vg->name),
				  "a device of its volume group is missing");
	}
	if (!step && (d.work || d.refused)) {
		step = plan_add(p->plan, ACTION_UPDATE, want->kind, want->name, want->uuid);
		step->impact = IMPACT_LIVE;
	}
	if (step) {
		usual(p, step);
		if (d.why.n)
			step->why = arena_strdup(p->arena, d.why.s);
		if (d.refused) {
			step_hold(step, HOLD_CONFLICT, d.refused);
			step->hold_span = d.span;
		}
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

static const char *const storage_readers[] = {"lvm", "disks", NULL};

const struct kind kind_storage = {
	.name = "storage",
	.section = "storage",
	.table = &storage_table,
	.readers = storage_readers,
	.prepare = storage_prepare,
	.check = storage_check,
	.actual = storage_actual,
	.decide = storage_decide,
	.apply = storage_apply,
	.gentle = true,
};

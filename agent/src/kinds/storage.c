/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Storage: an LVM volume group with one thin pool. Which disks and how much of them can't be compared
 * field by field (a serial with a PV, a share with bytes), so storage_plan.c compares; storage_apply.c
 * does what it finds.
 */
#include "kinds/storage.h"

#include <errno.h>

#include "base/num.h"
#include "base/str.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/snapshot.h"
#include "kinds/storage_apply.h"
#include "kinds/storage_device.h"
#include "kinds/storage_plan.h"
#include "kinds/storage_pool.h"
#include "kinds/storage_room.h"
#include "kinds/volume.h"

#define PURGE_KEEP_MIN_S 3600

static const char *const when_full_words[] = {"error", "queue", NULL};

TABLE(storage_device_table, storage_device, "device",
      "A disk, by what stays the same when cables and kernels change.",
      {.name = "serial", .type = FIELD_STRING, .offset = FIELD_AT(storage_device, serial),
       .parse = parse_text, .max = 255,
       .doc = "its serial number, as 'manor facts' shows it"},
      {.name = "wwid", .type = FIELD_STRING, .offset = FIELD_AT(storage_device, wwid),
       .parse = parse_text, .max = 255, .doc = "its world-wide id, as 'manor facts' shows it"},
      {.name = "path", .type = FIELD_STRING, .offset = FIELD_AT(storage_device, path),
       .parse = parse_path,
       .doc = "a link that stays, such as /dev/disk/by-path/…; for partitions too"},
      {.name = "pci", .type = FIELD_STRING, .offset = FIELD_AT(storage_device, pci),
       .parse = parse_pci,
       .doc = "where it sits, as 'manor facts' shows it: pci-0000:00:1f.2-ata-1; pci-0000:00:1f.2 or "
	      "0000:00:1f.2 is whatever disk is there"},
      {.name = "min_size", .type = FIELD_SIZE, .offset = FIELD_AT(storage_device, min_size),
       .min = 1, .max = INT64_MAX, .doc = "at least so large; any size when not given"},
      {.name = "max_size", .type = FIELD_SIZE, .offset = FIELD_AT(storage_device, max_size),
       .min = 1, .max = INT64_MAX, .doc = "at most so large; any size when not given"},
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
      {.name = "when_full", .type = FIELD_ENUM, .offset = FIELD_AT(storage_pool, when_full),
       .words = when_full_words, .def = "error",
       .doc = "what becomes of a write that a full pool has no room for: error (it fails at once, the "
	      "guest's file system goes read-only or its program fails) or queue (it waits for the "
	      "pool to grow, and the guest hangs; after a minute the kernel fails it all the same, "
	      "see dm_thin_pool.no_space_timeout)"},
      {.name = "pause_at", .type = FIELD_INT, .offset = FIELD_AT(storage_pool, pause_at), .min = 50,
       .max = 100, .def = "98",
       .doc = "guests that write to its volumes are paused when so many percent of its data are in use, or "
	      "95 of its metadata, and go on when there are 3 less; 100: never"},
      {.name = "overcommit", .type = FIELD_STRING, .offset = FIELD_AT(storage_pool, overcommit),
       .parse = parse_overcommit, .def = "true",
       .doc = "whether its volumes may add up to more than it holds: true, false, or how many "
	      "times, such as 1.5"});

TABLE(storage_tombstones_table, storage_tombstones, "tombstones",
      "What becomes of a volume that leaves the manifest: renamed, inactive, kept for a time.",
      {.name = "keep", .type = FIELD_DURATION, .offset = FIELD_AT(storage_tombstones, keep),
       .max = TOMBSTONES_KEEP_MAX, .flags = FIELD_SHORT, .def = TOMBSTONES_KEEP,
       .doc = "how long, at most 3650d; what is removed from now on goes by it. 0s: expired at once, "
	      "yet there until it is emptied"},
      {.name = "purge", .type = FIELD_BOOL, .offset = FIELD_AT(storage_tombstones, purge),
       .def = "false",
       .doc = "whether an apply, the agent's too, DESTROYS those that have expired; else that "
	      "is done by hand alone, with manor trash empty"});

TABLE(storage_table, storage, "storage", "A volume group with one thin pool, named like it.",
      {.name = "devices", .type = FIELD_LIST, .offset = FIELD_AT(storage, devices),
       .sub = &storage_device_table, .flags = FIELD_REQUIRED | FIELD_CONFIG,
       .impact = IMPACT_LIVE,
       .doc = "its disks; one that bears anything at all is refused, one that leaves the list "
	      "stays in the group"},
      {.name = "pool", .type = FIELD_SUB, .offset = FIELD_AT(storage, pool),
       .sub = &storage_pool_table, .flags = FIELD_CONFIG, .impact = IMPACT_LIVE,
       .doc = "the thin pool"},
      {.name = "tombstones", .type = FIELD_SUB, .offset = FIELD_AT(storage, tombstones),
       .sub = &storage_tombstones_table, .flags = FIELD_CONFIG, .impact = IMPACT_LIVE,
       .doc = "how long its removed volumes are kept"},
      {.name = "purges", .type = FIELD_LIST, .offset = FIELD_AT(storage, purges),
       .flags = FIELD_STATUS, .doc = "expired tombstones that a step destroys"},
      {.name = "when_full", .type = FIELD_ENUM, .offset = FIELD_AT(storage, when_full),
       .words = when_full_words, .flags = FIELD_DERIVED, .impact = IMPACT_LIVE,
       .doc = "what a full pool does with writes"},
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
			 field_given(t, d, "path") +
			 field_given(t, d, "pci");

	if (given == 0 && field_strange(t, d))
		return;
	if (given != 1) {
		struct diag *g = diag_error(m->diags, "bad-device", span,
					    given ? "a device of %s is named in more than one way"
						  : "a device of %s has no name",
					    resource_title(m->arena, r));
		diag_help(m->diags, g, "give exactly one of serial, wwid, path and pci");
		return;
	}
	if (!d->serial && !d->wwid && !d->path && !d->pci)
		return; /* what is wrong with it was said */
	if (d->path && !startswith(d->path, "/dev/")) {
		struct diag *g = diag_error(m->diags, "bad-device", field_span(d, "path"),
					    "'%s' is no device", d->path);

		diag_help(m->diags, g,
			  "a device is below /dev: /dev/disk/by-id/… lists those that stay");
		return;
	}
	if (d->path && strchr(d->path + 5, '/') == NULL && strncmp(d->path, "/dev/loop", 9) != 0) {
		struct diag *g = diag_warn(m->diags, "unstable-name", field_span(d, "path"),
					   "'%s' may be another disk after the next boot", d->path);
		diag_help(m->diags, g, "name it by serial, wwid, pci or /dev/disk/by-path/…");
	}
	if (d->min_size && d->max_size && d->min_size > d->max_size) {
		struct diag *g = diag_error(m->diags, "bad-device", field_span(d, "max_size"),
					    "max_size is less than min_size: no disk fits");
		diag_also(m->diags, g, field_span(d, "min_size"), "at least so large");
		return;
	}
	device_pv_uuid(m->namespace, r->name, d, uuid);
	d->pv = arena_strdup(m->arena, uuid);
	field_mark(&storage_device_table, d, "pv");
}

uint64_t storage_keeps(const struct manifest *m, const char *storage)
{
	const struct resource *r = m ? manifest_find(m, "storage", storage) : NULL;
	const struct storage *s = r ? r->record : NULL;

	return s ? s->tombstones.keep : TOMBSTONES_KEEP_S;
}

static void prepare_tombstones(struct manifest *m, struct resource *r)
{
	struct storage_tombstones *t = &((struct storage *)r->record)->tombstones;
	const struct table *table = &storage_tombstones_table;

	if (!field_is_set(table, t, "keep"))
		t->keep = TOMBSTONES_KEEP_S; /* none of it is said, or it could not be understood */
	if (t->purge && t->keep < PURGE_KEEP_MIN_S && field_is_set(table, t, "keep")) {
		struct diag *g =
			diag_error(m->diags, "bad-value", field_span(t, "purge"),
				   "with purge: true, a volume that leaves the manifest by "
				   "mistake would be lost at once");
		diag_also(m->diags, g, field_span(t, "keep"), "kept no longer than this");
		diag_help(m->diags, g,
			  "keep them for at least 1h, or leave purge out and empty "
			  "the trash by hand");
	}
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
	prepare_tombstones(m, r);
	s->when_full = s->pool.when_full;
	field_mark(&storage_table, s, "when_full");
}

/* One disk may fit both: the same name, and sizes that meet. */
static bool same_device(const struct storage_device *x, const struct storage_device *y)
{
	bool named = (x->serial && streq(x->serial, y->serial)) ||
		     (x->wwid && streq(x->wwid, y->wwid)) || (x->path && streq(x->path, y->path)) ||
		     (x->pci && streq(x->pci, y->pci));

	return named && !(x->max_size && y->min_size > x->max_size) &&
	       !(y->max_size && x->min_size > y->max_size);
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

static void check_promise(struct manifest *m, const struct resource *r)
{
	const struct storage_pool *p = &((struct storage *)r->record)->pool;
	const struct resource *largest;
	uint64_t pool = pool_bytes(p), sum, most;
	struct diag *g;

	if (!pool)
		return; /* a share of a group that only the host knows: decided there */
	most = pool_promise(p, pool);
	if (most == UINT64_MAX)
		return;
	sum = storage_promised(m, NULL, r->name, &largest);
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
		"pool_virtual", "data_percent", "metadata_percent", "clones",    "when_full"};

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
	s->when_full = pool && !pool->error_when_full ? WHEN_FULL_QUEUE : WHEN_FULL_ERROR;
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

		if (!streq(v->vg, vg->name) || !streq(v->pool, STORAGE_POOL) || (base && !id) ||
		    snapshot_is(v))
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
			x->note = storage_trouble(a, l, vg->name, NULL);
			if (r && !x->note)
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

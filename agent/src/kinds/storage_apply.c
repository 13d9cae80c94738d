/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Making a storage and letting go of it: piece by piece, each piece marked in the command that makes
 * it, so that a cut anywhere is gone on from.
 */
#include "kinds/storage_apply.h"

#include <errno.h>

#include "base/num.h"
#include "kinds/lvm_facts.h"
#include "kinds/storage_device.h"
#include "kinds/storage_pool.h"
#include "kinds/tombstone.h"

const struct lvm_lv *storage_pool_of(const struct lvm_facts *l, const char *vg)
{
	const struct lvm_lv *pool = lvm_lv(l, vg, STORAGE_POOL);

	return pool && streq(pool->type, "thin-pool") ? pool : NULL;
}
static int take_device(struct work *w, const char *name, const struct device *d, struct err *e)
{
	int r;

	if (d->state == DEVICE_REFUSED) {
		err_at(e, "devices");
		if (d->help)
			err_help(e, "%s", d->help);
		return err_set(e, -EBUSY, "%s", d->why);
	}
	/* The look that counts: just before, and with the device held. */
	r = blk_check_free(d->disk->path, d->want->pv, e);
	if (r == 0) {
		w->progress(w, "labelling a disk", 0, 0);
		r = lvm_pv_create(d->disk->path, d->want->pv, e);
	}
	if (r < 0)
		err_at(e, "devices");
	return r < 0 ? r : 0;
}

static int apply_devices(struct work *w, const struct storage *s, const char *id, bool exists,
			 struct err *e)
{
	const char *name = w->step->name;
	const char **paths = arena_alloc(w->arena, (s->devices.n + 1) * sizeof(*paths));
	size_t n = 0;
	int r;

	for (size_t i = 0; i < s->devices.n; i++) {
		struct device d;

		device_find(w->arena, w->facts, name, s->devices.items[i], &d);
		if (d.state == DEVICE_MEMBER)
			continue;
		r = take_device(w, name, &d, e);
		if (r < 0)
			return r;
		paths[n++] = d.disk->path;
	}
	if (!exists) {
		w->progress(w, "making the volume group", 0, 0);
		r = lvm_vg_create(name, paths, n, &id, 1, e);
		if (r < 0)
			err_at(e, "devices");
		return r;
	}
	for (size_t i = 0; i < n; i++) {
		w->progress(w, "adding a disk to the volume group", 0, 0);
		r = lvm_vg_extend(name, paths[i], e);
		if (r < 0) {
			err_at(e, "devices");
			return r;
		}
	}
	return 0;
}

static int apply_pool(struct work *w, const struct storage *s, const char *id, struct err *e)
{
	const char *name = w->step->name;
	struct pool_sizes have = {0}, target;
	const struct lvm_lv *pool, *any;
	struct lvm_facts l = {0};
	const struct lvm_vg *vg;
	uint64_t needed;
	char buf[NUM_TEXT];
	int r;

	/* Anew: the group may just have been made or have grown. */
	r = lvm_read(w->arena, &l, e);
	if (r < 0)
		return r;
	vg = lvm_vg(&l, name);
	any = lvm_lv(&l, name, STORAGE_POOL);
	pool = storage_pool_of(&l, name);
	if (!vg)
		return err_set(e, -ENOENT, "volume group %s is not there", name);
	if (any && !list_has(&any->tags, id)) {
		r = err_set(e, -EEXIST, POOL_FOREIGN, name);
		err_help(e, POOL_FOREIGN_HELP, w->step->uuid, name);
		return r;
	}
	if (any && !pool) { /* a pool whose making was cut short: nothing is in it */
		r = lvm_remove(name, STORAGE_POOL, e);
		if (r < 0)
			return r;
		r = lvm_read(w->arena, &l, e);
		if (r < 0)
			return r;
		vg = lvm_vg(&l, name);
	}
	if (pool) {
		r = lvm_pool_mend(name, STORAGE_POOL, e);
		if (r < 0)
			return r;
		have = (struct pool_sizes){pool->size, pool->metadata_size};
	}
	if (pool && pool_shrinks(&s->pool, vg->size, &have))
		return 0;
	r = pool_target(&s->pool, vg->size, vg->free, &have, &target, &needed);
	if (r < 0) {
		err_at(e, "pool.size");
		return err_set(e, r, "the pool doesn't fit: %s more is needed",
			       num_size(buf, needed));
	}
	if (!pool) {
		w->progress(w, "making the thin pool", 0, 0);
		r = lvm_pool_create(name, STORAGE_POOL, target.data, target.metadata, &id, 1, e);
	} else if (target.data > have.data || target.metadata > have.metadata) {
		w->progress(w, "growing the thin pool", 0, 0);
		r = lvm_pool_extend(name, STORAGE_POOL, target.data, target.metadata, e);
	}
	if (r < 0)
		err_at(e, "pool.size");
	return r;
}

static int apply_when_full(struct work *w, const struct storage *s, struct err *e)
{
	bool error = s->when_full == WHEN_FULL_ERROR;
	const struct lvm_lv *pool;
	struct lvm_facts l = {0};
	int r;

	/* A new one fails writes. */
	if (w->step->action == ACTION_CREATE ? error : !changes_has(&w->step->changes, "when_full"))
		return 0;
	r = lvm_read(w->arena, &l, e);
	if (r < 0)
		return r;
	pool = storage_pool_of(&l, w->step->name);
	if (pool && pool->error_when_full == error)
		return 0;
	r = lvm_pool_when_full(w->step->name, STORAGE_POOL, error, e);
	if (r < 0)
		err_at(e, "pool.when_full");
	return r;
}

/* What the plan found expired and ours, if it still is. */
static int purge(struct work *w, const struct storage *s, struct err *e)
{
	const struct lvm_facts *l = lvm_facts(w->facts);
	int r = 0;

	for (size_t i = 0; i < s->purges.n && r == 0; i++) {
		const struct lvm_lv *lv = lvm_lv(l, w->step->name, s->purges.items[i]);
		const char *tag = lv ? lvm_tag_value(&lv->tags, TAG_TRASH) : NULL;
		int64_t expires;

		if (!tag || num_parse_int(tag, 0, INT64_MAX, &expires) < 0 ||
		    expires > w->facts->time)
			continue;
		w->progress(w, "destroying an expired tombstone", 0, 0);
		r = tombstone_purge(lv, e);
		if (r == -ENOENT) {
			err_done(e);
			r = 0;
		}
	}
	return r;
}

static int release(struct work *w, const char *id, struct err *e)
{
	const char *name = w->step->name;
	const struct lvm_lv *pool = lvm_lv(lvm_facts(w->facts), name, STORAGE_POOL);
	int r = 0;

	if (pool && list_has(&pool->tags, id))
		r = lvm_tag(name, STORAGE_POOL, NULL, 0, &id, 1, e);
	/* The group's own mark last: while it is there, the storage is ours to release. */
	return r < 0 ? r : lvm_vg_tag(name, NULL, id, e);
}

int storage_apply(struct work *w, struct err *e)
{
	const char *id = arena_printf(w->arena, TAG_ID "=%s", w->step->uuid);
	const struct storage *s = w->step->want_record;
	const struct lvm_vg *vg = lvm_vg(lvm_facts(w->facts), w->step->name);
	const char *why;
	int r;

	if (w->step->action == ACTION_REMOVE)
		return release(w, id, e);
	why = storage_trouble(w->arena, lvm_facts(w->facts), w->step->name, s);
	if (why) {
		err_at(e, "devices");
		return err_set(e, -EIO, "%s", why);
	}
	if (vg && !list_has(&vg->tags, id))
		return err_set(e, -EEXIST, "volume group %s is there and bears no mark of ours",
			       vg->name);
	r = apply_devices(w, s, id, vg != NULL, e);
	if (r == 0)
		r = purge(w, s, e);
	if (r == 0)
		r = apply_pool(w, s, id, e);
	return r < 0 ? r : apply_when_full(w, s, e);
}

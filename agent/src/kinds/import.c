/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Importing. A base is marked as being filled from the moment it is made until its digest is known to be
 * right: whoever finds such a one that nobody has open may clear it away.
 */
#include "kinds/import.h"

#include <errno.h>

#include "host/cache.h"
#include "kinds/lvm_facts.h"
#include "kinds/storage.h"

#define FULL 10000 /* hundredths of a percent */

static int changing(const struct import *i, bool begins, struct err *e)
{
	return i->first->changing ? i->first->changing(i->first->data, begins, e) : 0;
}

static int on_ready(void *data, uint64_t size, struct err *e)
{
	struct import *i = data;
	const struct template_import *x = i->what;
	int r = changing(i, true, e);

	if (r < 0)
		return r;
	r = i->created ? lvm_extend(x->storage, x->lv, size, e)
		       : lvm_base_create(x->storage, STORAGE_POOL, x->lv, size, x->sha256, e);
	if (r == 0) {
		i->created = true;
		i->size = size;
	}
	changing(i, false, NULL);
	return r;
}

static int on_again(void *data, struct err *e)
{
	struct import *i = data;
	int r = i->created ? changing(i, true, e) : 0;

	if (r < 0 || !i->created)
		return r;
	r = lvm_remove(i->what->storage, i->what->lv, e);
	i->created = r < 0;
	changing(i, false, NULL);
	return r;
}

static void on_progress(void *data, uint64_t done, uint64_t total)
{
	struct import *i = data;

	if (i->progress)
		i->progress(i->data, done, total);
}

static bool on_go_on(void *data)
{
	struct import *i = data;

	return !i->go_on || i->go_on(i->data);
}

/* What the pool can still take; its writes fail when it is full, so this only says it earlier. */
static uint64_t room_of(const struct lvm_facts *l, const char *storage)
{
	const struct lvm_lv *pool = lvm_lv(l, storage, STORAGE_POOL);

	if (!pool || pool->data_percent < 0 || pool->data_percent > 10000)
		return 0;
	return MAX_OF(pool->size / 10000 * (uint64_t)(10000 - pool->data_percent), UINT64_C(1));
}

/* What every request says. */
static void request(struct import *i)
{
	const struct template_import *x = i->what;
	const char *digest = x->digest ? x->digest : x->sha256;

	i->q = (struct image_request){
		.url = x->url,
		.mirrors = (const char *const *)x->mirrors.items,
		.n_mirrors = x->mirrors.n,
		.ca = x->ca,
		.time_limit_s = (unsigned)x->time_limit,
		.format = (enum image_format)x->format,
		.member = x->member,
		.max_size = x->size,
		.progress = on_progress,
		.go_on = on_go_on,
		.data = i,
	};
	if (strlen(digest) == SHA512_TEXT - 1)
		i->q.sha512 = digest;
	else
		i->q.sha256 = digest;
}

static int finish_base(struct import *i, struct err *e)
{
	const struct template_import *x = i->what;
	int r = 0;

	if (i->result.size < i->size)
		r = lvm_base_shrink(x->storage, x->lv, i->result.size, e);
	return r < 0 ? r : lvm_base_finish(x->storage, x->lv, e);
}

/* In place of what is there half filled; looked at once more, for the facts may be older than the leave to
 * change anything. */
static int clear(struct arena *a, const struct import *i, struct err *e)
{
	const struct lvm_lv *lv;
	struct lvm_facts now;
	int r = lvm_read(a, &now, e);

	if (r < 0)
		return r;
	lv = lvm_lv(&now, i->what->storage, i->what->lv);
	if (!lv)
		return 0;
	if (!lvm_filling(lv))
		return err_set(e, -EEXIST, "%s/%s is there by now", lv->vg, lv->name);
	if (lv->open)
		return err_set(e, -EBUSY,
			       "%s/%s is being filled by somebody else: wait for that to end",
			       lv->vg, lv->name);
	return lvm_remove(lv->vg, lv->name, e);
}

static int begin_base(struct arena *a, const struct facts *f, struct import *i, struct err *e)
{
	const struct lvm_facts *l = lvm_facts(f);
	const struct template_import *x = i->what;
	const char *way = template_in_the_way(a, f, x);
	const struct lvm_lv *lv = lvm_lv(l, x->storage, x->lv);
	int r;

	if (way)
		return err_set(e, -EEXIST, "%s", way);
	request(i);
	i->q.target = lvm_path(a, x->storage, x->lv);
	i->q.room = room_of(l, x->storage);
	i->q.ready = on_ready;
	i->q.again = on_again;
	if (!lv)
		return 0;
	r = changing(i, true, e);
	if (r < 0)
		return r;
	r = clear(a, i, e);
	changing(i, false, NULL);
	return r;
}

/* Writes to a full pool fail as those to a broken disk do; asked before what was written is removed. */
static int why_not(struct arena *a, const struct import *i, int r, struct err *e)
{
	const char *storage = i->what->storage;
	struct lvm_facts now = {0};
	const struct lvm_lv *pool;

	if ((r != -EIO && r != -ENOSPC) || !i->created || lvm_read(a, &now, NULL) < 0)
		return r;
	pool = lvm_lv(&now, storage, STORAGE_POOL);
	if (!pool || MAX_OF(pool->data_percent, pool->metadata_percent) < FULL)
		return r;
	if (e)
		err_done(e);
	err_help(e,
		 "make room ('manor image gc -n', 'manor trash ls' show where), or let the pool "
		 "of storage '%s' grow",
		 storage);
	return err_set(e, -ENOSPC, "pool %s/%s became full while it was written", storage,
		       STORAGE_POOL);
}

int import_bases(struct arena *a, const struct facts *f, struct import *list, size_t n,
		 struct err *e)
{
	struct image_result results[IMPORTS_TOGETHER];
	int r = 0;

	for (size_t k = 0; r == 0 && k < n; k++) {
		list[k].first = list;
		r = begin_base(a, f, &list[k], e);
		if (k > 0)
			list[k - 1].q.also = &list[k].q;
	}
	if (r == 0) {
		r = image_write(&list[0].q, results, e);
		r = r < 0 ? why_not(a, &list[0], r, e) : r;
	}
	if (r == 0)
		r = changing(list, true, e);
	else
		changing(list, true, NULL); /* what is left is cleared away all the same */
	for (size_t k = 0; r == 0 && k < n; k++) {
		list[k].result = results[k];
		r = finish_base(&list[k], e);
		list[k].created = r < 0;
	}
	/* If this fails too, the next run does it: it is marked as filling. */
	for (size_t k = 0; r < 0 && k < n; k++)
		if (list[k].created)
			lvm_remove(list[k].what->storage, list[k].what->lv, NULL);
	changing(list, false, NULL);
	return r;
}

int import_to_cache(struct import *i, struct err *e)
{
	i->first = i;
	request(i);
	if (i->what->image)
		return cache_fetch_image(i->what->sha256, &i->q, e);
	return cache_fetch(i->what->sha256, &i->q, e);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Templates: importing what is missing. Files of one archive are fetched once.
 */
#include <errno.h>
#include <time.h>

#include "host/cache.h"
#include "kinds/lvm_facts.h"
#include "kinds/storage.h"
#include "kinds/template.h"

#define TOGETHER    8 /* bases of one archive in one pass */
#define PROGRESS_MS 200

/* One import on its way. */
struct importing {
	struct work *work;
	const struct template_import *import;
	const char *file, *what;
	bool created;
	uint64_t size; /* that the base was made for */
	struct image_request q;
	int64_t told; /* when progress was, in ms of the monotonic clock */
};

/* Bytes come by the thousand blocks a second; a person reads a few lines of them. */
static void on_progress(void *data, uint64_t done, uint64_t total)
{
	struct importing *i = data;
	struct timespec t;
	int64_t now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	if (now - i->told < PROGRESS_MS && done != total)
		return;
	i->told = now;
	i->work->progress(i->work, i->what, done, total);
}

static int on_ready(void *data, uint64_t size, struct err *e)
{
	struct importing *i = data;
	const struct template_import *import = i->import;
	int r = i->created ? lvm_extend(import->storage, import->lv, size, e)
			   : lvm_base_create(import->storage, STORAGE_POOL, import->lv, size,
					     import->sha256, e);

	if (r < 0)
		return r;
	i->created = true;
	i->size = size;
	return 0;
}

static int on_again(void *data, struct err *e)
{
	struct importing *i = data;
	int r = i->created ? lvm_remove(i->import->storage, i->import->lv, e) : 0;

	i->created = r < 0;
	return r;
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
static void request(struct importing *i)
{
	const struct template_import *import = i->import;
	const char *digest = import->digest ? import->digest : import->sha256;

	i->q = (struct image_request){
		.url = import->url,
		.mirrors = (const char *const *)import->mirrors.items,
		.n_mirrors = import->mirrors.n,
		.ca = import->ca,
		.time_limit_s = (unsigned)import->time_limit,
		.format = (enum image_format)import->format,
		.member = import->member,
		.max_size = import->size,
		.progress = on_progress,
		.data = i,
	};
	if (strlen(digest) == SHA512_TEXT - 1)
		i->q.sha512 = digest;
	else
		i->q.sha256 = digest;
}

static int finish_base(struct importing *i, const struct image_result *result, struct err *e)
{
	const struct template_import *import = i->import;
	int r = 0;

	if (result->size < i->size)
		r = lvm_base_shrink(import->storage, import->lv, result->size, e);
	return r < 0 ? r : lvm_base_finish(import->storage, import->lv, e);
}

/* Bases, from nothing to read-only; several are parts of one archive. What an earlier run left half
 * filled goes first. */
static int import_bases(struct importing *list, size_t n, struct err *e)
{
	struct work *w = list->work;
	const struct lvm_facts *l = lvm_facts(w->facts);
	struct image_result results[TOGETHER];
	int r = 0;

	for (size_t k = 0; r == 0 && k < n; k++) {
		struct importing *i = &list[k];
		const struct template_import *import = i->import;
		const char *way = template_in_the_way(w->arena, w->facts, import);

		if (way)
			return err_set(e, -EEXIST, "%s", way);
		request(i);
		i->q.target = lvm_path(w->arena, import->storage, import->lv);
		i->q.room = room_of(l, import->storage);
		i->q.ready = on_ready;
		i->q.again = on_again;
		if (k > 0)
			list[k - 1].q.also = &i->q;
		if (lvm_lv(l, import->storage, import->lv))
			r = lvm_remove(import->storage, import->lv, e);
	}
	if (r == 0)
		r = image_write(&list[0].q, results, e);
	if (r == 0)
		w->progress(w, "finishing", 0, 0);
	for (size_t k = 0; r == 0 && k < n; k++) {
		r = finish_base(&list[k], &results[k], e);
		list[k].created = r < 0;
	}
	/* If this fails too, the next run does it: it is marked as filling. */
	for (size_t k = 0; r < 0 && k < n; k++)
		if (list[k].created)
			lvm_remove(list[k].import->storage, list[k].import->lv, NULL);
	return r;
}

static int import_to_cache(struct importing *i, struct err *e)
{
	request(i);
	if (i->import->image)
		return cache_fetch_image(i->import->sha256, &i->q, e);
	return cache_fetch(i->import->sha256, &i->q, e);
}

static int apply_remove(struct work *w, struct err *e)
{
	const struct lvm_lv *lv = w->now ? w->now->data : NULL;

	if (!lv || !lvm_filling(lv))
		return err_set(e, -EPERM, "it is no half-made base");
	return lvm_remove(lv->vg, lv->name, e);
}

/* Another name for one that comes before it. */
static bool twice(const struct template *t, size_t k)
{
	for (size_t i = 0; i < k; i++)
		if (template_same_place(t->imports.entries[i].value, t->imports.entries[k].value))
			return true;
	return false;
}

static bool missing(const struct work *w, const struct template *t, size_t k)
{
	return !template_there(w->facts, t->imports.entries[k].value) && !twice(t, k);
}

static void begin(struct work *w, const struct template *t, size_t k, struct importing *i)
{
	i->work = w;
	i->import = t->imports.entries[k].value;
	i->file = template_file_of(w->arena, t->imports.entries[k].name);
	i->what = arena_printf(w->arena, "fetching %s", i->file);
}

/* Parts of one archive, and both of them bases. */
static bool together(const struct template_import *a, const struct template_import *b)
{
	return a->storage && b->storage && a->member && b->member && streq(a->url, b->url) &&
	       streq(a->digest, b->digest);
}

/* The field that an error is about. */
static const char *field_of(const struct template_import *i, int r)
{
	if (r == -EBADMSG)
		return i->digest && strlen(i->digest) == SHA512_TEXT - 1 ? "sha512" : "sha256";
	if (r == -EFBIG && i->size)
		return "size";
	if (r == -ETIMEDOUT && i->time_limit)
		return "time_limit";
	if ((r == -ENXIO || r == -EMEDIUMTYPE) && i->member)
		return "member";
	return r == -EMEDIUMTYPE && i->format ? "format" : "url";
}

/* Imports the k-th, and what comes with it: marks these. */
static int import(struct work *w, const struct template *t, size_t k, bool *done, struct err *e)
{
	struct importing list[TOGETHER] = {0};
	const struct template_import *first = t->imports.entries[k].value;
	size_t n = 1;
	int r;

	begin(w, t, k, &list[0]);
	for (size_t j = k + 1; j < t->imports.n && n < TOGETHER; j++) {
		if (done[j] || !together(first, t->imports.entries[j].value) || !missing(w, t, j))
			continue;
		begin(w, t, j, &list[n++]);
		done[j] = true;
	}
	w->progress(w, list[0].what, 0, 0);
	r = first->storage ? import_bases(list, n, e) : import_to_cache(&list[0], e);
	if (r < 0) {
		err_wrap(e, "file '%s'", list[0].file);
		err_at(e, "files.%s.%s", list[0].file, field_of(first, r));
	}
	return r;
}

int template_apply(struct work *w, struct err *e)
{
	const struct template *t = w->step->want_record;
	_cleanup_(freep) bool *done = NULL;
	size_t n = 0;

	if (w->step->action == ACTION_REMOVE)
		return apply_remove(w, e);
	done = xcalloc(t->imports.n + 1, sizeof(*done));
	for (size_t k = 0; k < t->imports.n; k++) {
		int r;

		if (done[k] || !missing(w, t, k))
			continue;
		r = import(w, t, k, done, e);
		if (r < 0)
			return r;
		n++;
	}
	w->result = n ? "imported, digest as asked" : NULL;
	return 0;
}

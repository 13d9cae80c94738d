/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Templates: importing what is missing. Files of one archive are fetched once.
 */
#include <errno.h>
#include <time.h>

#include "kinds/import.h"
#include "kinds/lvm_facts.h"

#define PROGRESS_MS 200

/* What a step shows of its imports. */
struct shown {
	struct work *work;
	const char *what;
	int64_t told; /* when, in ms of the monotonic clock */
};

/* Bytes come by the thousand blocks a second; a person reads a few lines of them. */
static void on_progress(void *data, uint64_t done, uint64_t total)
{
	struct shown *s = data;
	struct timespec t;
	int64_t now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	if (now - s->told < PROGRESS_MS && done != total)
		return;
	s->told = now;
	s->work->progress(s->work, s->what, done, total);
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
	if (r == -ENOKEY && i->ca)
		return "ca";
	if (r == -ETIMEDOUT && i->time_limit)
		return "time_limit";
	if ((r == -ENXIO || r == -EMEDIUMTYPE) && i->member)
		return "member";
	return r == -EMEDIUMTYPE && i->format ? "format" : "url";
}

/* Imports the k-th, and what comes with it: marks these. */
static int import(struct work *w, const struct template *t, size_t k, bool *done, struct err *e)
{
	struct import list[IMPORTS_TOGETHER] = {0};
	const struct template_import *first = t->imports.entries[k].value;
	const char *file = template_file_of(w->arena, t->imports.entries[k].name);
	struct shown shown = {.work = w, .what = arena_printf(w->arena, "fetching %s", file)};
	size_t n = 1;
	int r;

	list[0] = (struct import){.what = first, .progress = on_progress, .data = &shown};
	for (size_t j = k + 1; j < t->imports.n && n < IMPORTS_TOGETHER; j++) {
		if (done[j] || !together(first, t->imports.entries[j].value) || !missing(w, t, j))
			continue;
		list[n++].what = t->imports.entries[j].value;
		done[j] = true;
	}
	w->progress(w, shown.what, 0, 0);
	r = first->storage ? import_bases(w->arena, w->facts, list, n, e)
			   : import_to_cache(&list[0], e);
	if (r < 0) {
		err_wrap(e, "file '%s'", file);
		err_at(e, "files.%s.%s", file, field_of(first, r));
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

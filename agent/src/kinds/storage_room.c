/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What fits into a pool. The arithmetic is of the whole plan, done once for each storage before the first
 * of its volumes is decided on.
 */
#include "kinds/storage_room.h"

#include "base/num.h"
#include "base/str.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/storage_apply.h"
#include "kinds/storage_pool.h"
#include "kinds/template.h"
#include "kinds/volume.h"

#define NAMED_MAX 3 /* of each sort of what could be freed */

static const char *size_text(struct arena *a, uint64_t bytes)
{
	char buf[NUM_TEXT];

	return arena_strdup(a, num_size(buf, bytes));
}

const char *percent_text(struct arena *a, int64_t hundredths)
{
	return arena_printf(a, "%lld.%lld %%", (long long)hundredths / 100,
			    (long long)hundredths % 100 / 10);
}

uint64_t storage_promised(const struct manifest *m, const struct lvm_facts *l, const char *storage,
			  const struct resource **ret_largest)
{
	const struct resource *largest = NULL;
	const struct lvm_lv *base = NULL;
	const char *of = NULL; /* whose base that is */
	uint64_t sum = 0, most = 0;

	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct volume *v = r->record;
		uint64_t size;

		if (r->kind != &kind_volume || !v->thin || !streq(v->storage, storage))
			continue;
		/* Clones of one file come one after the other, and by the thousand. */
		if (!v->size && v->base && !streq(v->base, of)) {
			base = lvm_base(l, storage, v->base);
			of = v->base;
		}
		size = v->size ? v->size : v->base && base ? base->size : 0;
		sum += size;
		if (size > most) {
			most = size;
			largest = r;
		}
	}
	*ret_largest = largest;
	return sum;
}

/* --- what could be freed --- */

struct freeable {
	const char *text;
	uint64_t bytes;
};

static int largest_first(const void *x, const void *y)
{
	const struct freeable *p = x, *q = y;

	return p->bytes < q->bytes ? 1 : p->bytes > q->bytes ? -1 : strcmp(p->text, q->text);
}

static void add_freeable(struct str *b, const char *what, struct freeable *list, size_t n)
{
	if (!n)
		return;
	qsort(list, n, sizeof(*list), largest_first);
	str_addf(b, ", %s (", what);
	for (size_t i = 0; i < MIN_OF(n, (size_t)NAMED_MAX); i++)
		str_addf(b, "%s%s", i ? ", " : "", list[i].text);
	if (n > NAMED_MAX)
		str_addf(b, ", and %zu more", n - NAMED_MAX);
	str_add(b, ")");
}

static bool wanted(const struct manifest *m, const char *storage, const char *sha256)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct template *t = r->record;

		for (size_t k = 0; r->kind == &kind_template && k < t->imports.n; k++) {
			const struct template_import *x = t->imports.entries[k].value;

			if (streq(x->storage, storage) && streq(x->sha256, sha256))
				return true;
		}
	}
	return false;
}

static bool has_clones(const struct lvm_facts *l, const struct lvm_lv *base)
{
	for (size_t i = 0; i < l->lvs.n; i++) {
		const struct lvm_lv *lv = l->lvs.items[i];

		if (streq(lv->vg, base->vg) && streq(lv->origin, base->name))
			return true;
	}
	return false;
}

/* "to make room: grow it, empty the trash (…), remove bases without clones (…)" */
static const char *make_room(struct planning *p, const char *storage)
{
	struct arena *a = p->arena;
	const struct lvm_facts *l = lvm_facts(p->facts);
	_cleanup_(freep) struct freeable *bases = xcalloc(l->lvs.n + 1, sizeof(*bases));
	_cleanup_(freep) struct freeable *trash = xcalloc(l->lvs.n + 1, sizeof(*trash));
	_cleanup_str_ struct str b = {0};
	size_t n_bases = 0, n_trash = 0, n;
	struct tombstone *t;

	volume_tombstones(a, p->facts, p->manifest, &t, &n);
	for (size_t i = 0; i < n; i++) {
		uint64_t bytes = t[i].held >= 0 ? (uint64_t)t[i].held : t[i].size;

		if (!t[i].ours || !streq(t[i].vg, storage))
			continue;
		trash[n_trash++] =
			(struct freeable){arena_printf(a, "%s: %s%s", t[i].name,
						       t[i].cloned || t[i].held < 0 ? "up to " : "",
						       size_text(a, bytes)),
					  bytes};
	}
	for (size_t i = 0; i < l->lvs.n; i++) {
		const struct lvm_lv *lv = l->lvs.items[i];
		const char *sha256 = lvm_tag_value(&lv->tags, TAG_BASE);
		int64_t held = lvm_mapped(lv);
		uint64_t bytes = held >= 0 ? (uint64_t)held : lv->size;

		if (sha256 && streq(lv->vg, storage) && startswith(lv->name, "base.") &&
		    !has_clones(l, lv) && !wanted(p->manifest, storage, sha256))
			bases[n_bases++] = (struct freeable){arena_printf(a, "%s: %s%s", lv->name,
									  held < 0 ? "up to " : "",
									  size_text(a, bytes)),
							     bytes};
	}
	str_add(&b, "to make room: grow it");
	add_freeable(&b, "empty the trash with 'manor trash empty'", trash, n_trash);
	add_freeable(&b, "remove bases that nothing is cloned from with 'manor image rm'", bases,
		     n_bases);
	if (!n_trash && !n_bases)
		str_add(&b, ", or remove volumes");
	return arena_strdup(a, b.s);
}

/* --- the arithmetic --- */

/* What the plan adds to one storage, were all of it written, and what there is for it. */
struct room {
	uint64_t pool, free;      /* the pool and what of it nobody uses, once the storage's step is done */
	uint64_t group_free;      /* beside the pool, then */
	uint64_t volumes, thick;  /* new volumes, and growth: of the pool, beside it */
	uint64_t images;          /* imports, as far as their size is said */
	uint64_t promised;        /* what all volumes of the pool add up to */
};

static uint64_t used_of(const struct lvm_lv *pool)
{
	return pool && pool->data_percent > 0 ? pool->size / 10000 * (uint64_t)pool->data_percent
					      : 0;
}

static void add_images(struct planning *p, const struct template *t, const char *storage,
		       struct room *room)
{
	for (size_t k = 0; k < t->imports.n; k++) {
		const struct template_import *x = t->imports.entries[k].value;
		const struct lvm_lv *base;

		if (!streq(x->storage, storage) || !x->sha256)
			continue;
		base = lvm_base(lvm_facts(p->facts), storage, x->sha256);
		if (!base || lvm_filling(base))
			room->images += x->size;
	}
}

static struct room *count(struct planning *p, const char *storage)
{
	const struct lvm_facts *l = lvm_facts(p->facts);
	const struct manifest *m = p->manifest;
	_cleanup_arena_ struct arena *a = arena_new();
	struct room *room = arena_alloc(p->arena, sizeof(*room));
	const struct resource *largest;
	struct index lvs = {0};

	for (size_t i = 0; i < l->lvs.n; i++) {
		const struct lvm_lv *lv = l->lvs.items[i];

		if (streq(lv->vg, storage))
			index_add(a, &lvs, NULL, lv->name, lv);
	}
	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct volume *v = r->record;
		const struct lvm_lv *lv;
		uint64_t has;

		if (r->kind == &kind_template)
			add_images(p, r->record, storage, room);
		if (r->kind != &kind_volume || !streq(v->storage, storage))
			continue;
		lv = index_find(&lvs, NULL, r->name);
		has = lv && !lvm_filling(lv) ? lv->size : 0;
		if (v->size > has)
			*(v->thin ? &room->volumes : &room->thick) += v->size - has;
	}
	room->promised = storage_promised(m, l, storage, &largest);
	return room;
}

static const char *times(struct arena *a, uint64_t promised, uint64_t pool)
{
	uint64_t tenths = pool >= 10 ? promised / (pool / 10) : 0;

	return arena_printf(a, "%llu.%llu times", (unsigned long long)(tenths / 10),
			    (unsigned long long)(tenths % 10));
}

void storage_room(struct planning *p, const char *storage, uint64_t pool, uint64_t group_free)
{
	const struct lvm_lv *is = storage_pool_of(lvm_facts(p->facts), storage);
	struct arena *a = p->arena;
	const char *images = "";
	struct room *room;
	const struct resource *r = manifest_find(p->manifest, "storage", storage);
	const struct storage *s = r ? r->record : NULL;
	uint64_t used = used_of(is);

	if (index_find(&p->memo, "room", storage))
		return;
	room = count(p, storage);
	room->pool = pool;
	room->free = pool > used ? pool - used : 0;
	room->group_free = group_free;
	index_add(a, &p->memo, "room", storage, room);
	if (!room->volumes || (room->promised <= pool && room->volumes <= room->free) ||
	    (s && room->promised > pool_promise(&s->pool, pool)))
		return; /* it fits, or is refused where it is asked for */
	if (room->images)
		images = arena_printf(a, " and up to %s of images", size_text(a, room->images));
	plan_note(p->plan, NOTE_WARNING, arena_printf(a, "storage/%s", storage),
		  arena_printf(a,
			       "this plan adds %s of volumes%s; its pool has %s of %s free, and is "
			       "promised %s then",
			       size_text(a, room->volumes), images, size_text(a, room->free),
			       size_text(a, pool), times(a, room->promised, pool)));
}

const char *storage_admit(struct planning *p, const char *storage)
{
	struct arena *a = p->arena;
	const struct lvm_lv *pool = storage_pool_of(lvm_facts(p->facts), storage);
	const struct room *room = index_find(&p->memo, "room", storage);
	uint64_t size, used;

	if (!pool)
		return NULL;
	if (pool->health && !streq(pool->health, "out_of_data"))
		return arena_printf(a, "pool %s/%s is unwell: %s", storage, STORAGE_POOL,
				    pool->health);
	if (pool->metadata_percent > METADATA_FULL)
		return arena_printf(a, "the metadata of pool %s/%s is %s full", storage,
				    STORAGE_POOL, percent_text(a, pool->metadata_percent));
	size = room ? room->pool : pool->size;
	used = used_of(pool);
	if (used <= size / 10000 * DATA_FULL)
		return NULL;
	return arena_printf(a,
			    "pool %s/%s is %s full, %s of %s free: above %d %% nothing new is put "
			    "into it; %s",
			    storage, STORAGE_POOL, percent_text(a, pool->data_percent),
			    size_text(a, size > used ? size - used : 0), size_text(a, size),
			    DATA_FULL / 100, make_room(p, storage));
}

#define METADATA_PAUSE 9500
#define PAUSE_SLACK    300 /* so that one who goes on isn't paused again at once */

const char *storage_pauses(struct arena *a, const struct facts *f, const struct manifest *m,
			   const char *storage, bool paused)
{
	const struct lvm_lv *pool = lvm_facts(f) ? storage_pool_of(lvm_facts(f), storage) : NULL;
	const struct resource *r = manifest_find(m, "storage", storage);
	const struct storage *s = r ? r->record : NULL;
	int64_t slack = paused ? PAUSE_SLACK : 0;

	if (!s || s->pool.pause_at >= 100)
		return NULL;
	/* Who is paused isn't let go on into what nobody knows, or what has failed. */
	if (paused && (!pool || pool->data_percent < 0 || pool->metadata_percent < 0 ||
		       (pool->health && !streq(pool->health, "out_of_data"))))
		return arena_printf(a, "how full pool %s/%s is isn't known%s%s", storage,
				    STORAGE_POOL, pool && pool->health ? ", it is unwell: " : "",
				    pool && pool->health ? pool->health : "");
	if (!pool)
		return NULL;
	if (pool->data_percent >= s->pool.pause_at * 100 - slack)
		return arena_printf(a, "pool %s/%s is %s full", storage, STORAGE_POOL,
				    percent_text(a, pool->data_percent));
	if (pool->metadata_percent >= METADATA_PAUSE - slack)
		return arena_printf(a, "the metadata of pool %s/%s is %s full", storage,
				    STORAGE_POOL, percent_text(a, pool->metadata_percent));
	return NULL;
}

const char *storage_overcommitted(struct planning *p, const char *storage)
{
	const struct room *room = index_find(&p->memo, "room", storage);
	const struct resource *r = manifest_find(p->manifest, "storage", storage);
	const struct storage *s = r ? r->record : NULL;
	struct arena *a = p->arena;
	uint64_t most;

	if (!s || !room)
		return NULL;
	most = pool_promise(&s->pool, room->pool);
	if (room->promised <= most)
		return NULL;
	return arena_printf(
		a,
		"pool %s/%s is promised more than it may carry: its volumes add up to %s, "
		"%s of this plan, limit %s (pool.overcommit: %s); %s of %s are free; %s",
		storage, STORAGE_POOL, size_text(a, room->promised), size_text(a, room->volumes),
		size_text(a, most), s->pool.overcommit, size_text(a, room->free),
		size_text(a, room->pool), make_room(p, storage));
}

const char *storage_thick_fits(struct planning *p, const char *storage)
{
	const struct room *room = index_find(&p->memo, "room", storage);

	if (!room || room->thick <= room->group_free)
		return NULL;
	return arena_printf(
		p->arena,
		"volume group %s has %s free beside its pool, this plan's thick volumes "
		"need %s",
		storage, size_text(p->arena, room->group_free), size_text(p->arena, room->thick));
}

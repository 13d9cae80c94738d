/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Buckets of chains, as many as there are things.
 */
#include "base/index.h"

#define BUCKETS_MIN 16

/* FNV-1a, the one for 32 bits. */
static uint32_t add_hash(uint32_t h, const char *s)
{
	for (; s && *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

static uint32_t hash(const char *kind, const char *name)
{
	return add_hash(add_hash(add_hash(2166136261u, kind), "/"), name);
}

static bool is(const struct index_entry *e, uint32_t h, const char *kind, const char *name)
{
	return e->hash == h && streq(e->name, name) && streq(e->kind, kind);
}

static void put(struct index *x, struct index_entry *e)
{
	struct index_bucket *b = &x->buckets[e->hash & (x->n_buckets - 1)];

	e->next = NULL;
	if (b->last)
		b->last->next = e;
	else
		b->first = e;
	b->last = e;
}

void index_add(struct arena *a, struct index *x, const char *kind, const char *name,
	       const void *item)
{
	struct index_entry *e = arena_alloc(a, sizeof(*e));

	*e = (struct index_entry){
		.kind = kind,
		.name = name,
		.item = (void *)item,
		.hash = hash(kind, name),
	};
	if (x->last)
		x->last->later = e;
	else
		x->first = e;
	x->last = e;
	if (x->n++ < x->n_buckets) {
		put(x, e);
		return;
	}
	x->n_buckets = MAX_OF(x->n_buckets * 2, (size_t)BUCKETS_MIN);
	x->buckets = arena_alloc(a, x->n_buckets * sizeof(*x->buckets));
	for (e = x->first; e; e = e->later)
		put(x, e);
}

const struct index_entry *index_first(const struct index *x, const char *kind, const char *name)
{
	uint32_t h = hash(kind, name);
	const struct index_entry *e;

	if (!x->n_buckets)
		return NULL;
	e = x->buckets[h & (x->n_buckets - 1)].first;
	while (e && !is(e, h, kind, name))
		e = e->next;
	return e;
}

const struct index_entry *index_next(const struct index_entry *e)
{
	const struct index_entry *next = e->next;

	while (next && !is(next, e->hash, e->kind, e->name))
		next = next->next;
	return next;
}

void *index_find(const struct index *x, const char *kind, const char *name)
{
	const struct index_entry *e = index_first(x, kind, name);

	return e ? e->item : NULL;
}

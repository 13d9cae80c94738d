/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Things by a name of two words ("volume", "web.root"), found without going through all of them. Several
 * may have one name: they come in the order in which they were added. Zero-initialise it; names and
 * things are borrowed, all memory is the arena's.
 */
#pragma once

#include "base/arena.h"

struct index_entry {
	const char *kind, *name; /* either may be NULL */
	void *item;
	uint32_t hash;
	struct index_entry *next;  /* in its bucket */
	struct index_entry *later; /* of all */
};

struct index {
	struct index_bucket {
		struct index_entry *first, *last;
	} *buckets;
	size_t n_buckets; /* a power of two, or 0 */
	size_t n;
	struct index_entry *first, *last;
};

void index_add(struct arena *a, struct index *x, const char *kind, const char *name,
	       const void *item);
/* The first of that name and those behind it; NULL: none (any more). */
const struct index_entry *index_first(const struct index *x, const char *kind, const char *name);
const struct index_entry *index_next(const struct index_entry *e);
/* The first thing of that name, or NULL. */
void *index_find(const struct index *x, const char *kind, const char *name);

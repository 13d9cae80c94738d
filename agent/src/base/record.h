/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The shape that all described data shares: a struct that begins with `struct record`, has scalar
 * members, and lists and maps of more such structs. What its members are called and mean stands in
 * a field table (conf/field.h); decode, diff, JSON, schema and manual all read that table.
 * Plain data: host code fills these without knowing the tables.
 */
#pragma once

#include "base/arena.h"

struct node;

struct record {
	const struct node *node; /* the manifest's mapping it was decoded from, or NULL */
	uint64_t set;            /* bit i: field i of its table has a value */
	uint64_t given;          /* bit i: the manifest says something of it, right or wrong */
};

/* Items are `const char *` for lists of strings, else pointers to records. */
struct list {
	void **items;
	size_t n;
	const struct node **nodes; /* where each stands, in what was decoded from a manifest; or NULL */
};

struct entry {
	const char *name;
	const struct node *key; /* where the name stands in the manifest, or NULL */
	void *value;            /* a record */
};

struct map {
	struct entry *entries; /* in the order of the file */
	size_t n;
};

void list_add(struct arena *a, struct list *l, void *item);
/* The same with its place: for all items of a list or for none. */
void list_add_at(struct arena *a, struct list *l, void *item, const struct node *node);
bool list_has(const struct list *l, const char *s);
void map_add(struct arena *a, struct map *m, const char *name, void *value);
/* The value of that name, or NULL. */
void *map_get(const struct map *m, const char *name);

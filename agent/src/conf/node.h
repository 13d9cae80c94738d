/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The manifest as a tree: scalars, sequences, mappings, each with its place in the file. It is what
 * libyaml's events say and no more; meaning comes with the field tables.
 */
#pragma once

#include "base/record.h"
#include "diag/diag.h"

enum node_type { NODE_SCALAR, NODE_SEQ, NODE_MAP };

struct node_pair {
	struct node *key; /* always a scalar */
	struct node *value;
};

struct node {
	enum node_type type;
	struct span span;
	struct node *key; /* of a value in a mapping: its key; else NULL */
	const char *text; /* scalars; "" for an empty one */
	bool plain;       /* scalars: unquoted, so null, true and numbers mean themselves */
	struct node **items; /* sequences */
	struct node_pair *pairs; /* mappings, in the order of the file */
	size_t n;
};

#define NODE_MAX_BYTES (4u << 20) /* a manifest's size */
#define NODE_MAX_DEPTH 64
#define NODE_MAX_NODES 200000

/* The value under `key`, or NULL. */
struct node *node_get(const struct node *map, const char *key);
/* The key's own node, or NULL. */
struct node *node_key(const struct node *map, const char *key);
/* Follows "disks.root.size" as far as it goes; *ret_key gets the last key found. Never NULL for a
 * map: an empty path or an unknown first word gives the map itself. */
const struct node *node_at(const struct node *map, const char *path, const struct node **ret_key);
bool node_is_null(const struct node *n); /* plain null, ~ or empty */
const char *node_type_word(const struct node *n); /* "a mapping", "a list", "a string", "nothing" */
/* Where to point for a node: a scalar's own place; for mappings, lists and what is empty, the key they
 * stand under. */
struct span node_span(const struct node *n);

/* Bytes → nodes. Everything wrong is in `d`, one code each: "too-large", "invalid-utf8",
 * "control-character", "empty-manifest", "syntax", "anchor", "alias", "tag", "merge-key", "directive",
 * "second-document", "duplicate-key", "complex-key", "empty-key", "too-deep", "too-many-nodes". NULL when
 * there is no tree to go on with; a tree that comes with errors serves to find further ones. */
struct node *node_load(struct arena *a, const struct source *source, struct diags *d);

/* Mappings merge, lists and scalars of `over` replace, null in `over` unsets (also where there was
 * nothing to unset). Neither is changed; the result shares what it can and keeps every span. Either
 * may be NULL. Keys keep the order of `under`, then of `over`. */
struct node *node_merge(struct arena *a, struct node *under, struct node *over);

/* Its own copy of a whole tree, texts and places apart. */
struct node *node_copy(struct arena *a, const struct node *n);
/* How many there are in it, itself among them. */
size_t node_count(const struct node *n);
/* A mapping without that key, made anew; `map` is not changed. */
struct node *node_without(struct arena *a, const struct node *map, const char *key);

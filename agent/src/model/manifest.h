/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The manifest: what is wanted, decoded and lowered to resources with their dependencies.
 */
#pragma once

#include "base/ident.h"
#include "base/index.h"
#include "conf/field.h"

#define NAMED_FILE_MAX (1u << 20) /* a file that a manifest names */

struct kind;

struct resource {
	const struct kind *kind;
	const char *name;
	char uuid[UUID_TEXT];
	void *record;            /* by kind->table */
	const struct node *key;  /* where it is declared: the key; for an implied one its owner's field */
	struct span span;        /* of the key */
	struct resource *owner;  /* the one that implied it (a domain's clone), or NULL */
	struct resource **needs; /* to be there first */
	size_t n_needs;
	bool misnamed;           /* while loading: its name, or that of what asks for it, was refused */
	bool prepared;           /* while loading */
	unsigned mark;           /* while sorting */
};

/* A small file that the manifest names (`{file: PATH}`), as it was when the manifest was read. */
struct manifest_file {
	const char *path;
	const char *text;
};

struct host_dom0 {
	struct record rec;
	uint64_t memory;
	int64_t vcpus;
};

struct host {
	struct record rec;
	const char *name;
	struct host_dom0 dom0;
};

struct manifest {
	struct record rec; /* of the top-level table */
	struct arena *arena;
	struct diags *diags; /* while loading */
	struct source source;
	struct node *root;
	const char *dir;    /* absolute folder of the file */
	char sha256[SHA256_TEXT]; /* of the file's bytes */
	char digest[SHA256_TEXT]; /* of all that was read: its folder, and the files it names, too */

	int64_t version;
	const char *namespace;
	struct host host;
	int64_t max_removals; /* percent of our resources that one apply may remove */
	bool max_removals_given; /* else a few are always fine */

	const struct kind *const *kinds; /* NULL-terminated */
	struct resource **resources;     /* after loading: dependencies first */
	size_t n_resources;
	struct index index;              /* the same, by kind and name */
	struct list files; /* of struct manifest_file: what `{file: …}` read */
	bool closed;       /* … and there are no others */
};

/* Bytes → nodes → select → records → resources. Everything wrong is in `d`; NULL when there was an
 * error. `name` is how the operator called the file; `dir` where relative paths start (absolute).
 * `files` (may be NULL): contents to use instead of reading; no others are read then. The manifest lives in the
 * diagnostics' arena, for each points into the other: diags_free() ends both. */
struct manifest *manifest_load_text(const char *name, const char *dir, const char *text, size_t n,
				    const struct list *files, const struct kind *const *kinds,
				    struct diags *d);
/* "-" is standard input; of what is no plain file relative paths start where we are. */
struct manifest *manifest_load(const char *path, const struct kind *const *kinds, struct diags *d);
/* Of a plain file only: never waits for a writer. */
struct manifest *manifest_load_plain(const char *path, const struct kind *const *kinds,
				     struct diags *d);
/* For whoever holds only the manifest: frees its diagnostics and with them everything. */
void manifest_free(struct manifest *m);
void manifest_freep(struct manifest **m);
#define _cleanup_manifest_ _cleanup_(manifest_freep)

/* One resource more: for what loads a manifest from elsewhere than YAML. */
void manifest_add(struct manifest *m, struct resource *r);

/* For the kinds' hooks. */
struct resource *manifest_find(const struct manifest *m, const char *kind, const char *name);
/* A resource that follows from `owner` (a clone of a template's file); -EEXIST with a diagnostic when
 * the name is taken. The record is zeroed, for the caller to fill and mark. `where`: the node that
 * asks for it. */
struct resource *manifest_imply(struct manifest *m, struct resource *owner, const char *kind,
				const char *name, const struct node *where);
void resource_needs(struct manifest *m, struct resource *r, struct resource *other);
/* "domain 'web'" */
const char *resource_title(struct arena *a, const struct resource *r);

/* The table of the whole manifest, made from the kinds': for the schema and the manual. */
const struct table *manifest_table(struct arena *a, const struct kind *const *kinds);

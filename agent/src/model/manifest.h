/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The manifest: what is wanted, decoded and lowered to resources with their dependencies.
 */
#pragma once

#include "base/ident.h"
#include "base/index.h"
#include "conf/select.h"
#include "model/manifest_host.h"

#define MANIFEST_VERSION 1
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

/* A file that the manifest names (`{file: PATH}`) or includes, as it was when the manifest was read. */
struct manifest_file {
	const char *path; /* absolute, as it was asked for */
	const char *text; /* NUL-terminated */
	size_t size;      /* bytes */
	const char *real; /* of one that is included: where the path led, links resolved; else NULL */
	const char *name; /* … and what messages call it */
};

/* A host of a manifest for many, as its part with the rest is. */
struct host_match;
struct manifest_host {
	const char *name;
	const struct host_match *match; /* conf/select.h */
	size_t *counts; /* of resources that are written there, kind by kind */
};

struct manifest {
	struct record rec; /* of the top-level table */
	struct arena *arena;
	struct diags *diags; /* while loading */
	struct source source;
	struct node *root;  /* of the file itself; of one for many hosts, as this one's */
	const char *chosen; /* that one's name, where it was asked for by name; else NULL */
	struct list hosts;  /* of struct manifest_host: where each of many is looked at; no resources are here then */
	struct list roots;  /* of struct node: that one, then those of what it includes, as they were read */
	bool partly;        /* while loading: some of it could not be read, so what is missing isn't known */
	const struct kind *cut; /* … of this kind, and of those behind it, there are more than are read */
	const char *dir;    /* absolute folder of the file */
	char sha256[SHA256_TEXT]; /* of the file's bytes */
	char digest[SHA256_TEXT]; /* of all that was read: its folder, what it includes and names, too */

	int64_t version;
	const char *namespace;
	struct host host;
	struct install_wanted install;
	int64_t max_removals; /* percent of our resources that one apply may remove */
	bool max_removals_given; /* else a few are always fine */

	const struct kind *const *kinds; /* NULL-terminated */
	struct resource **resources;     /* after loading: dependencies first */
	size_t n_resources;
	struct index index;              /* the same, by kind and name */
	struct list files; /* of struct manifest_file: what it includes, and what `{file: …}` read */
	bool closed;       /* … and there are no others */
};

/* Bytes → nodes → select → records → resources. Everything wrong is in `d`; NULL when there was an
 * error. `name` is how the operator called the file; `dir` where relative paths start (absolute).
 * `files` (may be NULL): contents to use instead of reading; no others are read then. `who`: whose part of a
 * manifest for many hosts it is to be; NULL: each is looked at, to say what is wrong with it, and `hosts` tells them. The
 * manifest lives in the diagnostics' arena, for each points into the other: diags_free() ends both. */
struct manifest *manifest_load_text(const char *name, const char *dir, const char *text, size_t n,
				    const struct list *files, const struct who *who,
				    const struct kind *const *kinds, struct diags *d);
/* "-" is standard input; of what is no plain file relative paths start where we are. */
struct manifest *manifest_load(const char *path, const struct who *who,
			       const struct kind *const *kinds, struct diags *d);
/* Of a plain file only: never waits for a writer. */
struct manifest *manifest_load_plain(const char *path, const struct who *who,
				     const struct kind *const *kinds, struct diags *d);
/* For whoever holds only the manifest: frees its diagnostics and with them everything. */
void manifest_free(struct manifest *m);
void manifest_freep(struct manifest **m);
#define _cleanup_manifest_ _cleanup_(manifest_freep)

/* One resource more: for what loads a manifest from elsewhere than YAML. */
void manifest_add(struct manifest *m, struct resource *r);

field_parse_fn parse_namespace; /* a DNS name, lower case */

/* How many resources of each kind are written there; what they imply doesn't count. Arena memory. */
size_t *manifest_count(struct arena *a, const struct manifest *m);

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

/* For model/hosts.c: all that comes after the tree. False: nothing more can be told of it. */
bool manifest_read(struct manifest *m, struct decode *c);
/* As read_named() of one that is being loaded. */
int manifest_read_named(struct decode *c, const char *path, const char **ret, struct err *e);
/* The table of a host's part: what may stand there of what a manifest may say. */
const struct table *manifest_part_table(struct arena *a, const struct kind *const *kinds);

/* The table of the whole manifest, made from the kinds': for the schema and the manual. */
const struct table *manifest_table(struct arena *a, const struct kind *const *kinds);
/* The same of one of its files, whose own fields are those of `scalars`. */
const struct table *manifest_top_table(const struct manifest *m, const struct table *scalars);

/* For model/include.c. */
/* Reads the top level of one file, but for its sections, by a table. False, having said so: of another
 * version, so that nothing else in it can be judged. `what` names it in messages. */
bool manifest_top(struct manifest *m, struct decode *c, struct node *root,
		  const struct table *scalars, const char *what, void *record);
/* One that was read; or NULL. */
struct manifest_file *manifest_file(const struct manifest *m, const char *path);
/* Reads it, unless that was done: it is kept with the manifest. -EFBIG: it has more than `max` bytes. */
int manifest_read_file(struct manifest *m, const char *path, size_t max, struct manifest_file **ret,
		       struct err *e);
/* Its path is noted, be it there or not, for whoever watches what the manifest is made of. */
void manifest_look_at(struct manifest *m, const char *path);

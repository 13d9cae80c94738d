/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Golden images as the host has them: bases in the storages, boot files and disk images in the cache; who names them,
 * who needs them, and which nobody would miss.
 */
#pragma once

#include "base/err.h"
#include "model/facts.h"
#include "model/manifest.h"

struct template_file;

struct golden {
	const char *sha256;    /* of a snapshot that was left: its name */
	const char *vg, *lv;   /* of a base; NULL: it is in the cache */
	bool image;            /* there: a disk's, which files are cloned from; else a boot file */
	const char *named;     /* "tiny/root, old/root": the templates' files that it is; NULL: none */
	const struct template_file *file; /* the first of these */
	uint64_t size;
	int64_t mapped;        /* bytes; -1: not known */
	struct list clones;    /* volumes that came from it, or with it, removed ones too, and files: "vg0/web.root" */
	bool read_only, filling;
	bool open;             /* somebody has it: what is half-made is under way */
	bool left;             /* no image: a snapshot that an export or a capture took (kinds/snapshot.h) */
	const char *captured;  /* the volume that a base was a snapshot of, or NULL */
	bool unpacked;         /* a kernel's unpacked form lies beside it */
	bool ours;             /* the manifest's namespace has its storage; the cache is everybody's */
	const char *stays;     /* why it can't be removed, or NULL */
};

/* All of them: bases, and snapshots under way or left, storage by storage, then what is in the cache. `m` says what is ours; what it or `other` (may
 * be NULL) names is named. The readings "lvm" and "cache" must be known; "paths" tells of
 * clones that are files. */
void golden_list(struct arena *a, const struct facts *f, const struct manifest *m,
		 const struct manifest *other, struct golden **ret, size_t *ret_n);
/* Nobody would miss it: no template names it, no volume needs it. */
bool golden_garbage(const struct golden *g);
/* Whether it is meant: by the beginning of its digest (6 digits or more), or as "vg0/base.0123456789abcdef". */
bool golden_meant(const struct golden *g, const char *what);
/* Destroys it: safe to run again. -EBUSY: it has to stay. */
int golden_remove(const struct golden *g, struct err *e);

enum golden_result { GOLDEN_FINE, GOLDEN_UNCHECKED, GOLDEN_WRONG };
extern const char *const golden_result_words[]; /* "fine", "not checked", "wrong", NULL */

struct golden_finding {
	const char *sha256;  /* or how the volume is called that should have one */
	const char *vg;      /* NULL: the cache */
	const char *named;
	enum golden_result result;
	const char *why;     /* of what isn't fine */
};

/* Looks at one that is there: reads a boot file, and of a base what LVM says. */
void golden_check(struct arena *a, const struct facts *f, const struct golden *g,
		  struct golden_finding *ret);
/* What should be there and isn't, and what bears a base's name and is none. */
void golden_check_rest(struct arena *a, const struct facts *f, const struct manifest *m,
		       const struct golden *list, size_t n, struct golden_finding **ret,
		       size_t *ret_n);

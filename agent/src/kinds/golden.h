/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Golden images as the host has them: bases in the storages and boot files in the cache; who names them,
 * who needs them, and which nobody would miss.
 */
#pragma once

#include "base/err.h"
#include "model/facts.h"
#include "model/manifest.h"

struct golden {
	const char *sha256;
	const char *vg, *lv;   /* of a base; NULL: it is a boot file in the cache */
	const char *named;     /* "tiny/root, old/root": the templates' files that it is; NULL: none */
	uint64_t size;
	int64_t mapped;        /* bytes; -1: not known */
	struct list clones;    /* volumes that came from it, or with it, removed ones too: "vg0/web.root" */
	bool read_only, filling;
	bool unpacked;         /* a kernel's unpacked form lies beside it */
	bool ours;             /* the manifest's namespace has its storage; the cache is everybody's */
	const char *stays;     /* why it can't be removed, or NULL */
};

/* All of them: bases storage by storage, then boot files. `m` says what is ours; what it or `other` (may
 * be NULL) names is named. Both readings, "lvm" and "cache", must be known. */
void golden_list(struct arena *a, const struct facts *f, const struct manifest *m,
		 const struct manifest *other, struct golden **ret, size_t *ret_n);
/* Nobody would miss it: no template names it, no volume needs it. */
bool golden_garbage(const struct golden *g);
/* Whether it is meant: by the beginning of its digest (6 digits or more), or as "vg0/base.0123456789abcdef". */
bool golden_meant(const struct golden *g, const char *what);
/* Destroys it: safe to run again. -EBUSY: it has to stay. */
int golden_remove(const struct golden *g, struct err *e);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Manifest and facts in, plan out. Pure: it reads nothing and asks no one.
 */
#pragma once

#include "model/kind.h"

struct plan_options {
	enum impact allowed;  /* steps above it are held */
	const char *only;     /* "kind/name": that resource and what it needs; NULL: all */
};

/* All that is there, kind by kind, as the kinds interpret the facts. */
struct survey {
	struct actuals *kinds;   /* one for each kind, in their order */
	const char **unknown;    /* why a kind can't be known; NULL where it is */
	struct index ours, foreign; /* by kind and name */
};

void survey_make(struct arena *a, const struct manifest *m, const struct facts *f,
		 struct survey *ret);
/* Ours by that name, or NULL. `foreign`: the foreign one by that name instead. */
const struct actual *survey_find(const struct survey *s, const struct kind *k, const char *name,
				 bool foreign);

/* Never fails: what can't be done is a held step, what must not be done a refusal. The plan refers to
 * the manifest's records and to the facts: both must outlive it. */
struct plan *plan_make(const struct manifest *m, const struct facts *f,
		       const struct plan_options *o);

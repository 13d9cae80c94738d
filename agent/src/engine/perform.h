/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One step, from its request to its result, in whatever process it runs: read anew, refuse if what the
 * plan saw no longer holds, apply, read back.
 *
 * Request: {"namespace", "step": {… with records}, "resources": [{kind, name, uuid, record}…]}: the
 * step's own resource and those it needs.
 */
#pragma once

#include "model/kind.h"

struct manifest;

/* The caller owns the result. */
json_object *perform_request(const struct plan *plan, size_t step, const struct manifest *m);

typedef void perform_progress(void *data, const char *what, uint64_t done, uint64_t total);

/* Returns 0 with *ret_text (caller frees; may be NULL) saying what was done, or a negative errno. */
int perform_step(json_object *request, const struct kind *const *kinds,
		 const struct reader *const *readers, perform_progress *progress, void *data,
		 char **ret_text, struct err *e);

/* Readings in this very process, those named (NULL-terminated; NULL: all), into new facts. `paths` (may be
 * NULL: none): as in observe(). `one` (may be NULL): of a kind that is alone, so that what it isn't about is left out. */
struct facts *perform_read(const struct reader *const *readers, const char *const *names,
			   const struct list *paths, const struct step *one);
/* One of them, into facts that are there. */
void perform_reading(struct facts *f, const struct reader *r, const struct list *paths,
		     const struct step *one);

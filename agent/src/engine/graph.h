/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The order of a plan's steps.
 */
#pragma once

#include "model/plan.h"

/* Sorts the steps so that each comes after those in its `after`, keeping their order otherwise, and
 * renumbers `after`. Steps for which keep[i] is false are left out (NULL: all stay). Returns
 * -ELOOP with the plan unchanged if that can't be. */
int graph_sort(struct plan *p, const bool *keep);

/* The plan's `after` from the other end: who waits for a step. */
struct waiters;
struct waiters *waiters_new(const struct plan *p);
void waiters_free(struct waiters *w);
void waiters_freep(struct waiters **w);
/* Keeps up with a step_after() made since. */
void waiters_add(struct waiters *w, size_t waiting, size_t other);
/* ret[i] (as many as there are steps): whether i waits for `step`, itself or through others; true for
 * `step` itself. After these, it can't wait without closing a circle. */
void waiters_of(const struct waiters *w, size_t step, bool *ret);

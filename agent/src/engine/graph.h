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
/* Would "step after other" close a loop? */
bool graph_reaches(const struct plan *p, size_t from, size_t to);

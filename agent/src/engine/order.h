/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What waits for what: the steps' `after`, from what resources need, what uses what, and what goes.
 */
#pragma once

#include "engine/planner.h"

/* Also holds removals of what is used still, or may be. The steps are not moved yet: graph_sort(). */
void order_steps(struct planning *p, const struct survey *s);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One resource of a file. Leave for that is no leave for the rest, and the agent goes by the whole of
 * what is in force: it would undo the one, or do the rest. So a file comes into force by one resource
 * only where that is all that it changes.
 */
#pragma once

#include "engine/planner.h"

/* `p` is the plan for `o->only` of `m`, which was read from a file. True: `m` isn't to come into force, for
 * nothing is yet (and so nobody undoes anything). The plan is refused where something else is in force,
 * and more than this would change. */
bool only_is_part(struct plan *p, const struct manifest *m, const struct facts *f,
		  const struct plan_options *o);

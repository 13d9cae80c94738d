/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Bringing a host to rest: all that runs of one kind ends, the last to come first.
 */
#pragma once

#include "model/kind.h"

/* A plan that stops every resource of that kind that is ours, whoever needs one before it; what the kind has to say of
 * how is in the step's want. Nothing is noted of it, so that the next boot starts them all. Pure, as plan_make() is. */
struct plan *plan_rest(const struct manifest *m, const struct facts *f, const struct kind *k,
		       bool plainly);

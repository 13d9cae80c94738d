/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Steps and plans as JSON: what `plan --format json` prints, what a worker is handed, what the agent
 * and its clients say to each other.
 */
#pragma once

#include "model/kind.h"

/* `records`: with the want and have records in full (secrets too): for workers only. */
json_object *step_to_json(const struct step *s, bool records);
int step_from_json(struct arena *a, json_object *json, const struct kind *const *kinds,
		   struct step *ret, struct err *e);
json_object *plan_to_json(const struct plan *p);
const struct kind *kind_find(const struct kind *const *kinds, const char *name);

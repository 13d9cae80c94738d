/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Records ↔ JSON, by their field tables. Sizes are bytes, durations seconds, enums their words; only
 * set fields appear. One format for facts, steps and `--format json`.
 */
#pragma once

#include "base/json.h"
#include "conf/field.h"

/* The caller owns the result. Secrets become "(secret)" unless `secrets`. */
json_object *record_to_json(const struct table *t, const void *record, bool secrets);
/* Only what the manifest says, no defaults, nothing derived; with secrets. Of a record that was decoded from one. */
json_object *record_given_to_json(const struct table *t, const void *record);
/* Unknown keys are passed over (a newer writer), wrong types are -EINVAL. Limits: lists and maps of
 * 100000 items. No defaults are filled. */
int record_from_json(struct arena *a, const struct table *t, json_object *json, void *ret_record,
		     struct err *e);
/* One field as people read it: "1 GiB", "[a, b]", "–" when unset. Arena memory. */
const char *field_text(struct arena *a, const struct field *f, const void *record, bool set);

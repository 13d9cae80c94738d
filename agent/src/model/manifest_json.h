/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A manifest as it was read, to be kept or sent: {"name", "dir", "text", "files": {path: content},
 * "included": {path: {"real", "name"}}, "digest", "host"}. Who gets it reads no file. "host": the one of many that was
 * asked for by name.
 */
#pragma once

#include <json-c/json.h>

#include "model/manifest.h"

json_object *manifest_to_json(const struct manifest *m); /* the caller's */
/* Negative with `e` where it is none; what is wrong with one is in `d`, as manifest_load_text() says,
 * and *ret is NULL then. */
int manifest_from_json(json_object *o, const struct who *who, const struct kind *const *kinds,
		       struct diags *d, struct manifest **ret, struct err *e);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * JSON text.
 */
#pragma once

#include <json-c/json.h>

#include "base/err.h"

/* Parses JSON text with limits on size (bytes) and depth; NULL with an error. Caller owns. */
json_object *json_parse(const char *text, size_t n, struct err *e);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * JSON text, and what a JSON object holds. A key that is absent, null or of another type than was asked
 * for holds nothing, and so does whatever is no object (NULL too): who reads lines of strangers needs
 * no test before each of them.
 */
#pragma once

#include <json-c/json.h>

#include "base/err.h"
#include "base/record.h"

/* Parses JSON text with limits on size (bytes) and depth; NULL with an error. Caller owns. */
json_object *json_parse(const char *text, size_t n, struct err *e);

/* Borrowed from the object, NULL when there is none. */
json_object *json_member(json_object *o, const char *key, enum json_type type);
const char *json_text(json_object *o, const char *key);
json_object *json_list(json_object *o, const char *key);
/* 0 or false when there is none. */
int64_t json_int(json_object *o, const char *key);
double json_real(json_object *o, const char *key); /* of a whole number too */
bool json_flag(json_object *o, const char *key);
size_t json_length(json_object *list); /* of no list: 0 */

/* Adds a text; NULL adds nothing. */
void json_put_text(json_object *o, const char *key, const char *text);
/* Adds a list of strings; NULL adds an empty one. */
void json_put_texts(json_object *o, const char *key, const struct list *texts);

void json_freep(json_object **o);
#define _cleanup_json_ _cleanup_(json_freep)

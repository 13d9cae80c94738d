/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * JSON text, and what a JSON object holds.
 */
#include "base/json.h"

#include <errno.h>

#define JSON_MAX_BYTES (64u << 20)
#define JSON_MAX_DEPTH 64

json_object *json_parse(const char *text, size_t n, struct err *e)
{
	struct json_tokener *tok;
	json_object *json;
	enum json_tokener_error why;

	if (n > JSON_MAX_BYTES) {
		err_set(e, -EFBIG, "JSON text is larger than %u bytes", JSON_MAX_BYTES);
		return NULL;
	}
	tok = json_tokener_new_ex(JSON_MAX_DEPTH);
	if (!tok)
		abort();
	json = json_tokener_parse_ex(tok, text, (int)n);
	why = json_tokener_get_error(tok);
	json_tokener_free(tok);
	if (!json || why != json_tokener_success) {
		err_set(e, -EINVAL, "not valid JSON: %s",
			why == json_tokener_continue ? "it ends too early"
						     : json_tokener_error_desc(why));
		json_object_put(json);
		return NULL;
	}
	return json;
}

json_object *json_member(json_object *o, const char *key, enum json_type type)
{
	json_object *v;

	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, type))
		return NULL;
	return v;
}

const char *json_text(json_object *o, const char *key)
{
	json_object *v = json_member(o, key, json_type_string);

	return v ? json_object_get_string(v) : NULL;
}

json_object *json_list(json_object *o, const char *key)
{
	return json_member(o, key, json_type_array);
}

int64_t json_int(json_object *o, const char *key)
{
	json_object *v = json_member(o, key, json_type_int);

	return v ? json_object_get_int64(v) : 0;
}

double json_real(json_object *o, const char *key)
{
	json_object *v = json_member(o, key, json_type_double);

	return v ? json_object_get_double(v) : (double)json_int(o, key);
}

bool json_flag(json_object *o, const char *key)
{
	json_object *v = json_member(o, key, json_type_boolean);

	return v && json_object_get_boolean(v);
}

size_t json_length(json_object *list)
{
	return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

void json_put_text(json_object *o, const char *key, const char *text)
{
	if (text)
		json_object_object_add(o, key, json_object_new_string(text));
}

void json_put_texts(json_object *o, const char *key, const struct list *texts)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; texts && i < texts->n; i++)
		json_object_array_add(list, json_object_new_string(texts->items[i]));
	json_object_object_add(o, key, list);
}

void json_freep(json_object **o)
{
	json_object_put(*o);
	*o = NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * JSON text.
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

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Records ↔ JSON by their field tables, and fields as people read them.
 */
#include "model/record_json.h"

#include <errno.h>

#include "base/ident.h"
#include "base/num.h"
#include "base/str.h"

#define JSON_MAX_ITEMS 100000

/* Not even a digest: those of short passwords are guessed, and plans are kept in logs of others. */
#define SECRET "(secret)"

/* Of a record: all fields that have a value, or those that the manifest speaks of. */
enum which { ALL, GIVEN };

static json_object *to_json(const struct table *t, const void *record, enum which which,
			    bool secrets);

static json_object *field_to_json(const struct field *f, const void *record, enum which which,
				  bool secrets)
{
	const void *p = field_ptr(f, record);

	switch (f->type) {
	case FIELD_BOOL:
		return json_object_new_boolean(*(const bool *)p);
	case FIELD_INT:
		return json_object_new_int64(*(const int64_t *)p);
	case FIELD_SIZE:
	case FIELD_DURATION:
		return json_object_new_uint64(*(const uint64_t *)p);
	case FIELD_STRING: {
		const char *s = *(const char *const *)p;

		if (!s)
			return NULL;
		if ((f->flags & FIELD_SECRET) && !secrets)
			return json_object_new_string(SECRET);
		return json_object_new_string(s);
	}
	case FIELD_ENUM:
		return json_object_new_string(f->words[*(const int *)p]);
	case FIELD_LIST: {
		const struct list *l = p;
		json_object *a = json_object_new_array();

		for (size_t i = 0; i < l->n; i++)
			json_object_array_add(a,
					      f->sub ? to_json(f->sub, l->items[i], which, secrets)
						     : json_object_new_string(l->items[i]));
		return a;
	}
	case FIELD_SUB:
		return to_json(f->sub, p, which, secrets);
	case FIELD_MAP: {
		const struct map *m = p;
		json_object *o = json_object_new_object();

		for (size_t i = 0; i < m->n; i++)
			json_object_object_add(
				o, m->entries[i].name,
				to_json(f->sub, m->entries[i].value, which, secrets));
		return o;
	}
	}
	return NULL;
}

static json_object *to_json(const struct table *t, const void *record, enum which which,
			    bool secrets)
{
	const struct record *rec = record;
	uint64_t fields = which == GIVEN ? rec->set & rec->given : rec->set;
	json_object *o = json_object_new_object();

	for (size_t i = 0; i < t->n; i++) {
		json_object *value;

		if (!(fields & (1ull << i)))
			continue;
		value = field_to_json(&t->fields[i], record, which, secrets);
		if (value)
			json_object_object_add(o, t->fields[i].name, value);
	}
	return o;
}

json_object *record_to_json(const struct table *t, const void *record, bool secrets)
{
	return to_json(t, record, ALL, secrets);
}

json_object *record_given_to_json(const struct table *t, const void *record)
{
	return to_json(t, record, GIVEN, true);
}

static int wrong_type(const struct table *t, const struct field *f, const char *want, struct err *e)
{
	return err_set(e, -EINVAL, "'%s' of %s is not %s", f->name, t->name, want);
}

static int field_from_json(struct arena *a, const struct table *t, const struct field *f,
			   json_object *json, void *record, struct err *e)
{
	void *p = field_ptr(f, record);
	int r;

	switch (f->type) {
	case FIELD_BOOL:
		if (!json_object_is_type(json, json_type_boolean))
			return wrong_type(t, f, "true or false", e);
		*(bool *)p = json_object_get_boolean(json);
		return 0;
	case FIELD_INT:
		if (!json_object_is_type(json, json_type_int))
			return wrong_type(t, f, "a number", e);
		*(int64_t *)p = json_object_get_int64(json);
		return 0;
	case FIELD_SIZE:
	case FIELD_DURATION:
		if (!json_object_is_type(json, json_type_int) || json_object_get_int64(json) < 0)
			return wrong_type(t, f, "a number of 0 or more", e);
		*(uint64_t *)p = json_object_get_uint64(json);
		return 0;
	case FIELD_STRING:
		if (!json_object_is_type(json, json_type_string))
			return wrong_type(t, f, "a string", e);
		*(const char **)p = arena_strdup(a, json_object_get_string(json));
		return 0;
	case FIELD_ENUM:
		if (!json_object_is_type(json, json_type_string))
			return wrong_type(t, f, "a word", e);
		r = word_find(f->words, json_object_get_string(json));
		if (r < 0)
			return wrong_type(t, f, "one of its words", e);
		*(int *)p = r;
		return 0;
	case FIELD_LIST: {
		struct list l = {0};

		if (!json_object_is_type(json, json_type_array) ||
		    json_object_array_length(json) > JSON_MAX_ITEMS)
			return wrong_type(t, f, "a list", e);
		for (size_t i = 0; i < json_object_array_length(json); i++) {
			json_object *item = json_object_array_get_idx(json, i);
			void *value;

			if (f->sub) {
				value = arena_alloc(a, f->sub->size);
				r = record_from_json(a, f->sub, item, value, e);
				if (r < 0)
					return r;
			} else if (json_object_is_type(item, json_type_string)) {
				value = arena_strdup(a, json_object_get_string(item));
			} else {
				return wrong_type(t, f, "a list of strings", e);
			}
			list_add(a, &l, value);
		}
		*(struct list *)p = l;
		return 0;
	}
	case FIELD_SUB:
		return record_from_json(a, f->sub, json, p, e);
	case FIELD_MAP: {
		struct map m = {0};

		if (!json_object_is_type(json, json_type_object) ||
		    json_object_object_length(json) > JSON_MAX_ITEMS)
			return wrong_type(t, f, "a mapping", e);
		json_object_object_foreach(json, key, item)
		{
			void *value = arena_alloc(a, f->sub->size);

			r = record_from_json(a, f->sub, item, value, e);
			if (r < 0)
				return r;
			map_add(a, &m, arena_strdup(a, key), value);
		}
		*(struct map *)p = m;
		return 0;
	}
	}
	return -EINVAL;
}

int record_from_json(struct arena *a, const struct table *t, json_object *json, void *ret_record,
		     struct err *e)
{
	struct record *rec = ret_record;
	int r;

	if (!json_object_is_type(json, json_type_object))
		return err_set(e, -EINVAL, "%s is not a mapping", t->name);
	for (size_t i = 0; i < t->n; i++) {
		json_object *value;

		if (!json_object_object_get_ex(json, t->fields[i].name, &value) || !value)
			continue;
		r = field_from_json(a, t, &t->fields[i], value, ret_record, e);
		if (r < 0)
			return r;
		rec->set |= 1ull << i;
	}
	return 0;
}

const char *field_text(struct arena *a, const struct field *f, const void *record, bool set)
{
	const void *p = field_ptr(f, record);
	char buf[NUM_TEXT];

	if (!set)
		return "–";
	switch (f->type) {
	case FIELD_BOOL:
		return *(const bool *)p ? "true" : "false";
	case FIELD_INT:
		return arena_printf(a, "%lld", (long long)*(const int64_t *)p);
	case FIELD_SIZE:
		return arena_strdup(a, num_size(buf, *(const uint64_t *)p));
	case FIELD_DURATION:
		return arena_strdup(a, num_age(buf, *(const uint64_t *)p));
	case FIELD_STRING: {
		const char *s = *(const char *const *)p;

		if (!s)
			return "–";
		return f->flags & FIELD_SECRET ? SECRET : s;
	}
	case FIELD_ENUM:
		return f->words[*(const int *)p];
	case FIELD_LIST: {
		const struct list *l = p;
		_cleanup_str_ struct str s = {0};

		if (f->sub)
			return arena_printf(a, "%zu of %s", l->n, f->sub->name);
		str_add(&s, "[");
		for (size_t i = 0; i < l->n; i++)
			str_addf(&s, "%s%s", i ? ", " : "", (const char *)l->items[i]);
		str_add(&s, "]");
		return arena_strdup(a, str_get(&s));
	}
	case FIELD_SUB:
		return "…";
	case FIELD_MAP: {
		const struct map *m = p;
		_cleanup_str_ struct str s = {0};

		for (size_t i = 0; i < m->n; i++)
			str_addf(&s, "%s%s", i ? ", " : "", m->entries[i].name);
		return arena_strdup(a, str_get(&s));
	}
	}
	return "?";
}

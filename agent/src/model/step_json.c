/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Steps and plans as JSON.
 */
#include "model/step_json.h"

#include <errno.h>
#include <stdio.h>

#include "model/record_json.h"

const struct kind *kind_find(const struct kind *const *kinds, const char *name)
{
	for (size_t i = 0; kinds[i]; i++)
		if (streq(kinds[i]->name, name))
			return kinds[i];
	return NULL;
}

static void put(json_object *o, const char *key, json_object *value)
{
	if (value)
		json_object_object_add(o, key, value);
}

static json_object *text(const char *s)
{
	return s ? json_object_new_string(s) : NULL;
}

static json_object *changes_json(const struct changes *c)
{
	json_object *a = json_object_new_array();

	for (size_t i = 0; i < c->n; i++) {
		json_object *o = json_object_new_object();

		put(o, "path", text(c->list[i].path));
		put(o, "old", text(c->list[i].old_text));
		put(o, "new", text(c->list[i].new_text));
		put(o, "impact", text(impact_words[c->list[i].impact]));
		json_object_array_add(a, o);
	}
	return a;
}

json_object *step_to_json(const struct step *s, bool records)
{
	json_object *o = json_object_new_object();

	put(o, "id", text(s->id));
	put(o, "action", text(action_words[s->action]));
	put(o, "kind", text(s->kind->name));
	put(o, "name", text(s->name));
	put(o, "uuid", s->uuid[0] ? text(s->uuid) : NULL);
	put(o, "impact", text(impact_words[s->impact]));
	put(o, "why", text(s->why));
	put(o, "loses", text(s->loses));
	if (s->hold != HOLD_NO) {
		put(o, "hold", text(hold_words[s->hold]));
		put(o, "hold_why", text(s->hold_why));
		if (s->hold == HOLD_WAIT)
			put(o, "not_before", json_object_new_int64(s->not_before));
	}
	if (s->half_made)
		put(o, "half_made", json_object_new_boolean(true));
	put(o, "changes", changes_json(&s->changes));
	put(o, "serial", text(s->serial));
	put(o, "timeout_s", json_object_new_int64(s->timeout_s));
	if (s->bytes)
		put(o, "bytes", json_object_new_uint64(s->bytes));
	if (s->want && s->want->span.source) {
		put(o, "file", text(s->want->span.source->name));
		put(o, "line", json_object_new_int64(s->want->span.line));
		put(o, "column", json_object_new_int64(s->want->span.column));
	}
	if (records && s->want_record)
		put(o, "want", record_to_json(s->kind->table, s->want_record, true));
	if (records && s->have_record)
		put(o, "have", record_to_json(s->kind->table, s->have_record, true));
	return o;
}

static const char *get(struct arena *a, json_object *o, const char *key)
{
	json_object *v;

	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_string))
		return NULL;
	return arena_strdup(a, json_object_get_string(v));
}

static int word(const char *const *words, const char *s)
{
	for (int i = 0; s && words[i]; i++)
		if (streq(words[i], s))
			return i;
	return -EINVAL;
}

static int get_record(struct arena *a, const struct kind *k, json_object *o, const char *key,
		      void **ret, struct err *e)
{
	json_object *v;
	void *record;
	int r;

	if (!json_object_object_get_ex(o, key, &v)) {
		*ret = NULL;
		return 0;
	}
	record = arena_alloc(a, k->table->size);
	r = record_from_json(a, k->table, v, record, e);
	if (r == 0)
		*ret = record;
	return r;
}

int step_from_json(struct arena *a, json_object *json, const struct kind *const *kinds,
		   struct step *ret, struct err *e)
{
	struct step s = {0};
	const char *kind = get(a, json, "kind"), *uuid = get(a, json, "uuid");
	int action = word(action_words, get(a, json, "action"));
	int impact = word(impact_words, get(a, json, "impact"));
	json_object *v;
	int r;

	s.kind = kind ? kind_find(kinds, kind) : NULL;
	s.id = (char *)get(a, json, "id");
	s.name = get(a, json, "name");
	if (!s.kind || !s.id || !s.name || action < 0)
		return err_set(e, -EINVAL, "not a step");
	s.action = (enum action)action;
	s.impact = impact < 0 ? IMPACT_NONE : (enum impact)impact;
	s.why = get(a, json, "why");
	s.serial = get(a, json, "serial");
	if (uuid)
		snprintf(s.uuid, sizeof(s.uuid), "%s", uuid);
	if (json_object_object_get_ex(json, "half_made", &v))
		s.half_made = json_object_get_boolean(v);
	if (json_object_object_get_ex(json, "timeout_s", &v))
		s.timeout_s = (unsigned)json_object_get_int64(v);
	if (json_object_object_get_ex(json, "changes", &v) &&
	    json_object_is_type(v, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(v); i++) {
			json_object *c = json_object_array_get_idx(v, i);
			int hit = word(impact_words, get(a, c, "impact"));

			s.changes.list =
				arena_grow(a, s.changes.list, s.changes.n, sizeof(*s.changes.list));
			s.changes.list[s.changes.n++] = (struct change){
				.path = get(a, c, "path"),
				.old_text = get(a, c, "old"),
				.new_text = get(a, c, "new"),
				.impact = hit < 0 ? IMPACT_NONE : (enum impact)hit,
			};
			if (!s.changes.list[s.changes.n - 1].path)
				return err_set(e, -EINVAL, "a change without its path");
		}
	}
	r = get_record(a, s.kind, json, "want", &s.want_record, e);
	if (r == 0)
		r = get_record(a, s.kind, json, "have", &s.have_record, e);
	if (r < 0)
		return r;
	*ret = s;
	return 0;
}

json_object *plan_to_json(const struct plan *p)
{
	static const char *const note_words[] = {"foreign", "warning", "unknown", "kept"};
	json_object *o = json_object_new_object(), *steps = json_object_new_array();
	json_object *notes = json_object_new_array();

	put(o, "manor-plan", json_object_new_int(1));
	put(o, "host", text(p->host));
	put(o, "manifest_sha256", p->manifest_sha256[0] ? text(p->manifest_sha256) : NULL);
	put(o, "allowed", text(impact_words[p->allowed]));
	put(o, "resources", json_object_new_uint64(p->n_resources));
	put(o, "refusal", text(p->refusal));
	put(o, "refusal_help", text(p->refusal_help));
	for (size_t i = 0; i < p->n; i++) {
		json_object *s = step_to_json(&p->steps[i], false);
		json_object *after = json_object_new_array();

		for (size_t j = 0; j < p->steps[i].n_after; j++)
			json_object_array_add(
				after,
				json_object_new_string(p->steps[p->steps[i].after[j].step].id));
		put(s, "after", after);
		json_object_array_add(steps, s);
	}
	put(o, "steps", steps);
	for (size_t i = 0; i < p->n_notes; i++) {
		json_object *n = json_object_new_object();

		put(n, "subject", text(p->notes[i].subject));
		put(n, "type", text(note_words[p->notes[i].type]));
		put(n, "text", text(p->notes[i].text));
		json_object_array_add(notes, n);
	}
	put(o, "notes", notes);
	return o;
}

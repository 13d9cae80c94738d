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

static json_object *changes_json(const struct changes *c)
{
	json_object *a = json_object_new_array();

	for (size_t i = 0; i < c->n; i++) {
		json_object *o = json_object_new_object();

		json_put_text(o, "path", c->list[i].path);
		json_put_text(o, "old", c->list[i].old_text);
		json_put_text(o, "new", c->list[i].new_text);
		json_put_text(o, "impact", impact_words[c->list[i].impact]);
		json_object_array_add(a, o);
	}
	return a;
}

json_object *step_to_json(const struct step *s, bool records)
{
	json_object *o = json_object_new_object();

	json_put_text(o, "id", s->id);
	json_put_text(o, "action", action_words[s->action]);
	json_put_text(o, "kind", s->kind->name);
	json_put_text(o, "name", s->name);
	json_put_text(o, "uuid", s->uuid[0] ? s->uuid : NULL);
	json_put_text(o, "impact", impact_words[s->impact]);
	json_put_text(o, "why", s->why);
	json_put_text(o, "loses", s->loses);
	if (s->hold != HOLD_NO) {
		json_put_text(o, "hold", hold_words[s->hold]);
		json_put_text(o, "hold_why", s->hold_why);
		if (s->hold == HOLD_WAIT)
			json_object_object_add(o, "not_before",
					       json_object_new_int64(s->not_before));
	}
	if (s->half_made)
		json_object_object_add(o, "half_made", json_object_new_boolean(true));
	json_object_object_add(o, "changes", changes_json(&s->changes));
	json_put_text(o, "serial", s->serial);
	json_object_object_add(o, "timeout_s", json_object_new_int64(s->timeout_s));
	if (s->bytes)
		json_object_object_add(o, "bytes", json_object_new_uint64(s->bytes));
	if (s->want && s->want->span.source) {
		json_put_text(o, "file", s->want->span.source->name);
		json_object_object_add(o, "line", json_object_new_int64(s->want->span.line));
		json_object_object_add(o, "column", json_object_new_int64(s->want->span.column));
	}
	if (records && s->want_record)
		json_object_object_add(o, "want",
				       record_to_json(s->kind->table, s->want_record, true));
	if (records && s->have_record)
		json_object_object_add(o, "have",
				       record_to_json(s->kind->table, s->have_record, true));
	return o;
}

static const char *get(struct arena *a, json_object *o, const char *key)
{
	return arena_strdup(a, json_text(o, key));
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
	const char *kind = json_text(json, "kind"), *uuid = json_text(json, "uuid");
	int action = word_find(action_words, json_text(json, "action"));
	int impact = word_find(impact_words, json_text(json, "impact"));
	json_object *changes;
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
	s.half_made = json_flag(json, "half_made");
	s.timeout_s = (unsigned)json_int(json, "timeout_s");
	changes = json_list(json, "changes");
	for (size_t i = 0; i < json_length(changes); i++) {
		json_object *c = json_object_array_get_idx(changes, i);
		int hit = word_find(impact_words, json_text(c, "impact"));

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
	/* Steps may wait for thousands: each id is there once. */
	json_object **ids = xcalloc(p->n, sizeof(json_object *));

	json_object_object_add(o, "manor-plan", json_object_new_int(1));
	json_put_text(o, "host", p->host);
	json_put_text(o, "manifest_sha256", p->manifest_sha256[0] ? p->manifest_sha256 : NULL);
	json_put_text(o, "allowed", impact_words[p->allowed]);
	json_object_object_add(o, "resources", json_object_new_uint64(p->n_resources));
	json_put_text(o, "refusal", p->refusal);
	json_put_text(o, "refusal_help", p->refusal_help);
	for (size_t i = 0; i < p->n; i++) {
		json_object *s = step_to_json(&p->steps[i], false);

		ids[i] = json_object_object_get(s, "id");
		json_object_array_add(steps, s);
	}
	for (size_t i = 0; i < p->n; i++) {
		const struct step *s = &p->steps[i];
		json_object *after = json_object_new_array();

		for (size_t j = 0; j < s->n_after; j++)
			json_object_array_add(after, json_object_get(ids[s->after[j].step]));
		json_object_object_add(json_object_array_get_idx(steps, i), "after", after);
	}
	free(ids);
	json_object_object_add(o, "steps", steps);
	for (size_t i = 0; i < p->n_notes; i++) {
		json_object *n = json_object_new_object();

		json_put_text(n, "subject", p->notes[i].subject);
		json_put_text(n, "type", note_words[p->notes[i].type]);
		json_put_text(n, "text", p->notes[i].text);
		json_object_array_add(notes, n);
	}
	json_object_object_add(o, "notes", notes);
	return o;
}

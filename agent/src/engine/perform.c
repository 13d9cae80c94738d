/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One step from its request to its result.
 */
#include "engine/perform.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/file.h"
#include "engine/observe.h"
#include "engine/planner.h"
#include "model/record_json.h"
#include "model/step_json.h"

struct performing {
	struct arena *arena;
	struct step step;
	struct manifest manifest; /* of the step's resource and its needs only */
	const struct reader *const *readers;
	struct facts *facts;
	struct survey survey;
	perform_progress *progress;
	void *data;
};

static void add_resource(json_object *list, const struct kind *k, const char *name,
			 const char *uuid, const void *record)
{
	json_object *o = json_object_new_object();

	json_put_text(o, "kind", k->name);
	json_put_text(o, "name", name);
	json_put_text(o, "uuid", uuid);
	json_object_object_add(o, "record", record_to_json(k->table, record, true));
	json_object_array_add(list, o);
}

json_object *perform_request(const struct plan *plan, size_t step, const struct manifest *m)
{
	const struct step *s = &plan->steps[step];
	json_object *o = json_object_new_object(), *list = json_object_new_array();
	const void *own = s->want_record ? s->want_record : s->have_record;

	json_put_text(o, "namespace", m->namespace);
	json_object_object_add(o, "step", step_to_json(s, true));
	if (own)
		add_resource(list, s->kind, s->name, s->uuid, own);
	for (size_t i = 0; s->want && i < s->want->n_needs; i++) {
		const struct resource *r = s->want->needs[i];

		add_resource(list, r->kind, r->name, r->uuid, r->record);
	}
	json_object_object_add(o, "resources", list);
	return o;
}

static int load_request(struct performing *p, json_object *request, const struct kind *const *kinds,
			struct err *e)
{
	struct manifest *m = &p->manifest;
	json_object *step, *list;
	int r;

	m->arena = p->arena;
	m->kinds = kinds;
	m->namespace = arena_strdup(p->arena, json_text(request, "namespace"));
	step = json_member(request, "step", json_type_object);
	if (!m->namespace || !step)
		return err_set(e, -EINVAL, "not a request for a step");
	r = step_from_json(p->arena, step, kinds, &p->step, e);
	if (r < 0)
		return r;
	list = json_list(request, "resources");
	for (size_t i = 0; i < json_length(list); i++) {
		json_object *o = json_object_array_get_idx(list, i);
		json_object *record = json_member(o, "record", json_type_object);
		struct resource *res = arena_alloc(p->arena, sizeof(*res));
		const char *kind = json_text(o, "kind"), *uuid = json_text(o, "uuid");

		res->kind = kind ? kind_find(kinds, kind) : NULL;
		res->name = arena_strdup(p->arena, json_text(o, "name"));
		if (!res->kind || !res->name || !uuid || !record)
			return err_set(e, -EINVAL, "not a resource");
		snprintf(res->uuid, sizeof(res->uuid), "%s", uuid);
		res->record = arena_alloc(p->arena, res->kind->table->size);
		r = record_from_json(p->arena, res->kind->table, record, res->record, e);
		if (r < 0)
			return r;
		manifest_add(m, res);
	}
	return 0;
}

static int read_by(const struct reader *r, struct arena *a, const struct list *paths,
		   const struct step *one, void *record, struct err *e)
{
	static const struct list none;

	if (r->read_paths)
		return r->read_paths(a, paths ? paths : &none, record, e);
	if (r->read_one && one)
		return r->read_one(a, one->name, one->uuid, record, e);
	return r->read(a, record, e);
}

void perform_reading(struct facts *f, const struct reader *r, const struct list *paths,
		     const struct step *one)
{
	void *record = arena_alloc(f->arena, r->table->size);
	_cleanup_err_ struct err e = {0};

	if (read_by(r, f->arena, paths, one, record, &e) < 0)
		facts_add_unknown(f, r, e.message ? e.message : "failed");
	else
		facts_add_known(f, r, record);
}

struct facts *perform_read(const struct reader *const *readers, const char *const *names,
			   const struct list *paths, const struct step *one)
{
	struct facts *f = facts_new();
	_cleanup_(freep) char *boot = NULL;
	char host[256] = "";

	f->time = time(NULL);
	if (file_read("/proc/sys/kernel/random/boot_id", 4096, &boot, NULL, NULL) == 0) {
		boot[strcspn(boot, "\n")] = '\0';
		f->boot_id = arena_strdup(f->arena, boot);
	}
	if (gethostname(host, sizeof(host) - 1) == 0)
		f->hostname = arena_strdup(f->arena, host);
	for (size_t i = 0; readers[i]; i++)
		if (!names || word_find(names, readers[i]->name) >= 0)
			perform_reading(f, readers[i], paths, one);
	return f;
}

/* Reads the host; *ret is the resource as it is, NULL when absent. */
static int look(struct performing *p, const struct actual **ret, struct err *e)
{
	struct list paths = {0};
	/* What is to be taken over may have another name still. */
	bool alone = p->step.kind->alone && p->step.action != ACTION_ADOPT;
	size_t k = 0;

	facts_free(p->facts);
	observe_paths(p->arena, &p->manifest, &paths);
	p->facts = perform_read(p->readers, p->step.kind->readers, &paths, alone ? &p->step : NULL);
	survey_make(p->arena, &p->manifest, p->facts, &p->survey);
	while (p->manifest.kinds[k] != p->step.kind)
		k++;
	if (p->survey.unknown[k])
		return err_set(e, -EIO, "%s", p->survey.unknown[k]);
	*ret = survey_find(&p->survey, p->step.kind, p->step.name, false);
	if (!*ret && p->step.action == ACTION_ADOPT)
		*ret = survey_find(&p->survey, p->step.kind, p->step.name, true);
	return 0;
}

/* The changes that this step is about, as they are now. */
static void remaining(struct performing *p, const struct actual *now, struct changes *ret)
{
	const struct step *s = &p->step;
	struct changes all;

	*ret = (struct changes){0};
	if (!s->want_record || !now)
		return;
	record_diff(p->arena, s->kind->table, s->want_record, now->record, p->facts, &all);
	for (size_t i = 0; i < all.n; i++) {
		bool about = s->action != ACTION_UPDATE;

		for (size_t j = 0; j < s->changes.n; j++)
			about |= streq(s->changes.list[j].path, all.list[i].path);
		if (!about)
			continue;
		ret->list = arena_grow(p->arena, ret->list, ret->n, sizeof(*ret->list));
		ret->list[ret->n++] = all.list[i];
	}
}

/* Does what the plan saw still hold? 1: already as wanted; 0: go on; negative: no. */
static int still_so(struct performing *p, const struct actual *now, struct err *e)
{
	const struct step *s = &p->step;
	struct changes left;

	if (s->action == ACTION_REMOVE)
		return now ? 0 : 1;
	if (s->action == ACTION_ADOPT && now && !now->foreign)
		return 1;
	if (s->action == ACTION_CREATE || s->action == ACTION_RESTORE) {
		if (!now || now->half_made)
			return 0;
		remaining(p, now, &left);
		if (left.n == 0)
			return 1;
		return err_set(e, -ESTALE,
			       "it is there by now, though the plan saw none; "
			       "run apply again");
	}
	if (s->have_record && !now)
		return err_set(e, -ESTALE, "it is gone since the plan was made; run apply again");
	if (s->action != ACTION_UPDATE || !now)
		return 0;
	remaining(p, now, &left);
	if (left.n == 0 && s->changes.n > 0)
		return 1;
	for (size_t i = 0; i < left.n; i++) {
		for (size_t j = 0; j < s->changes.n; j++) {
			const struct change *plan = &s->changes.list[j], *is = &left.list[i];

			if (!streq(plan->path, is->path) || streq(plan->old_text, is->old_text))
				continue;
			err_at(e, "%s", is->path);
			return err_set(e, -ESTALE,
				       "%s is %s by now, the plan saw %s; run apply again",
				       is->path, is->old_text ? is->old_text : "absent",
				       plan->old_text ? plan->old_text : "none");
		}
	}
	return 0;
}

static int read_back(struct performing *p, struct err *e)
{
	const struct step *s = &p->step;
	const struct actual *now;
	struct changes left;
	int r = look(p, &now, e);

	if (r < 0) {
		err_wrap(e, "reading back");
		return r;
	}
	if (s->action == ACTION_REMOVE) {
		if (now && !now->keep)
			return err_set(e, -EIO, "reading back: it is still there");
		return 0;
	}
	if (s->action == ACTION_STOP || s->action == ACTION_SETTLE || s->action == ACTION_PAUSE ||
	    s->action == ACTION_RESUME || s->action == ACTION_SAVE || s->action == ACTION_AWAIT ||
	    s->action == ACTION_FORGET)
		return 0; /* what else differs is not its concern */
	if (!now)
		return err_set(e, -EIO, "reading back: it is not there");
	if (now->half_made)
		return err_set(e, -EIO, "reading back: it is only half made");
	if (now->foreign)
		return err_set(e, -EIO, "reading back: it is somebody else's still");
	if (s->action == ACTION_RESTORE || s->action == ACTION_ADOPT)
		return 0; /* it is as it was */
	remaining(p, now, &left);
	if (left.n > 0) {
		const struct change *c = &left.list[0];

		err_at(e, "%s", c->path);
		return err_set(e, -EIO, "reading back: %s is %s, wanted %s", c->path,
			       c->old_text ? c->old_text : "absent",
			       c->new_text ? c->new_text : "none");
	}
	return 0;
}

static void pass_progress(struct work *w, const char *what, uint64_t done, uint64_t total)
{
	struct performing *p = w->data;

	if (p->progress)
		p->progress(p->data, what, done, total);
}

int perform_step(json_object *request, const struct kind *const *kinds,
		 const struct reader *const *readers, perform_progress *progress, void *data,
		 char **ret_text, struct err *e)
{
	_cleanup_arena_ struct arena *arena = arena_new();
	struct performing p = {
		.arena = arena, .readers = readers, .progress = progress, .data = data,
	};
	const struct actual *now;
	struct work work;
	char *text = NULL;
	int r;

	r = load_request(&p, request, kinds, e);
	if (r == 0)
		r = look(&p, &now, e);
	if (r == 0)
		r = still_so(&p, now, e);
	if (r == 1) {
		text = xstrdup("already so");
		r = 0;
	} else if (r == 0) {
		work = (struct work){
			.arena = arena,
			.step = &p.step,
			.facts = p.facts,
			.now = now,
			.progress = pass_progress,
			.data = &p,
		};
		r = p.step.kind->apply(&work, e);
		if (r >= 0)
			r = read_back(&p, e);
		if (r == 0 && work.result)
			text = xstrdup(work.result);
	}
	facts_free(p.facts);
	if (r == 0 && ret_text)
		*ret_text = text;
	else
		free(text);
	return r;
}

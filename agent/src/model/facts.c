/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Facts as a container and as JSON.
 */
#include "model/facts.h"

#include <errno.h>
#include <time.h>

#include "model/record_json.h"

#define FACTS_FORMAT 1
#define MACHINE      "machine" /* whose record is a struct machine */

struct facts *facts_new(void)
{
	struct arena *a = arena_new();
	struct facts *f = arena_alloc(a, sizeof(*f));

	f->arena = a;
	return f;
}

void facts_free(struct facts *f)
{
	if (f)
		arena_free(f->arena);
}

void facts_freep(struct facts **f)
{
	facts_free(*f);
	*f = NULL;
}

static struct reading *add(struct facts *f, const struct reader *r)
{
	struct reading *reading = NULL;

	for (size_t i = 0; i < f->n; i++)
		if (f->readings[i].reader == r)
			reading = &f->readings[i];
	if (!reading) {
		f->readings = arena_grow(f->arena, f->readings, f->n, sizeof(*f->readings));
		reading = &f->readings[f->n++];
	}
	*reading = (struct reading){.reader = r};
	return reading;
}

void facts_add_known(struct facts *f, const struct reader *r, void *record)
{
	struct reading *reading = add(f, r);

	reading->known = true;
	reading->record = record;
}

void facts_add_unknown(struct facts *f, const struct reader *r, const char *why)
{
	add(f, r)->why = arena_strdup(f->arena, why);
}

static const struct reading *find(const struct facts *f, const char *reader)
{
	for (size_t i = 0; f && i < f->n; i++)
		if (streq(f->readings[i].reader->name, reader))
			return &f->readings[i];
	return NULL;
}

const void *facts_get(const struct facts *f, const char *reader)
{
	const struct reading *r = find(f, reader);

	return r && r->known ? r->record : NULL;
}

const char *facts_unknown(const struct facts *f, const char *reader)
{
	const struct reading *r = find(f, reader);

	if (!r)
		return "not read";
	return r->known ? NULL : r->why;
}

struct who facts_who(const struct facts *f)
{
	return (struct who){
		.machine = facts_get(f, MACHINE),
		.unknown = find(f, MACHINE) ? facts_unknown(f, MACHINE)
					    : "these facts don't tell, for they are older than "
					      "`hosts`: `manor facts` makes them anew",
	};
}

json_object *facts_to_json(const struct facts *f)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "manor-facts", json_object_new_int(FACTS_FORMAT));
	json_object_object_add(o, "time", json_object_new_int64(f->time));
	json_put_text(o, "hostname", f->hostname);
	json_put_text(o, "boot_id", f->boot_id);
	for (size_t i = 0; i < f->n; i++) {
		const struct reading *r = &f->readings[i];
		json_object *value;

		if (r->known) {
			value = record_to_json(r->reader->table, r->record, false);
		} else {
			value = json_object_new_object();
			json_put_text(value, "unknown", r->why);
		}
		json_object_object_add(o, r->reader->name, value);
	}
	return o;
}

int facts_from_json(json_object *json, const struct reader *const *readers, struct facts **ret,
		    struct err *e)
{
	_cleanup_facts_ struct facts *f = facts_new();
	json_object *v;

	if (!json_object_is_type(json, json_type_object) ||
	    !json_object_object_get_ex(json, "manor-facts", &v))
		return err_set(e, -EINVAL, "this is not what `manor facts` prints");
	if (json_object_get_int(v) != FACTS_FORMAT)
		return err_set(e, -EINVAL, "facts of format %d; this program reads format %d",
			       json_object_get_int(v), FACTS_FORMAT);
	f->time = json_int(json, "time");
	f->hostname = arena_strdup(f->arena, json_text(json, "hostname"));
	f->boot_id = arena_strdup(f->arena, json_text(json, "boot_id"));
	for (size_t i = 0; readers[i]; i++) {
		const struct reader *reader = readers[i];
		const char *why;
		void *record;
		int r;

		if (!json_object_object_get_ex(json, reader->name, &v))
			continue;
		why = json_text(v, "unknown");
		if (why) {
			facts_add_unknown(f, reader, why);
			continue;
		}
		record = arena_alloc(f->arena, reader->table->size);
		r = record_from_json(f->arena, reader->table, v, record, e);
		if (r < 0) {
			err_wrap(e, "facts of '%s'", reader->name);
			return r;
		}
		facts_add_known(f, reader, record);
	}
	*ret = f;
	f = NULL;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Readers in workers, side by side; what is at hand in this very process.
 */
#include "engine/observe.h"

#include "base/index.h"
#include "base/json.h"
#include "engine/perform.h"
#include "engine/worker.h"
#include "model/record_json.h"

struct observing;

struct one {
	struct observing *all;
	const struct reader *reader;
};

struct observing {
	struct facts *facts;
	struct one *ones;
	size_t pending;
	sd_event_source *defer;
	void (*done)(void *data, struct facts *facts);
	void *data;
};

static void maybe_done(struct observing *o)
{
	if (o->pending)
		return;
	sd_event_source_disable_unref(o->defer);
	o->done(o->data, o->facts);
	free(o->ones);
	free(o);
}

static void ended(void *data, int result, const char *text, json_object *value, struct err *e)
{
	struct one *one = data;
	struct facts *f = one->all->facts;
	_cleanup_err_ struct err bad = {0};

	if (result == 0 && value) {
		void *record = arena_alloc(f->arena, one->reader->table->size);

		if (record_from_json(f->arena, one->reader->table, value, record, &bad) == 0)
			facts_add_known(f, one->reader, record);
		else
			facts_add_unknown(f, one->reader, bad.message);
	} else {
		facts_add_unknown(f, one->reader,
				  e->message ? e->message : "its reader said nothing");
	}
	one->all->pending--;
	maybe_done(one->all);
}

static int on_defer(sd_event_source *s, void *data)
{
	struct observing *o = data;

	o->pending--;
	maybe_done(o);
	return 0;
}

void observe_paths(struct arena *a, const struct manifest *m, struct list *ret)
{
	_cleanup_arena_ struct arena *own = arena_new();
	struct index seen = {0};

	for (size_t i = 0; m && i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		struct list paths = {0};

		if (!r->kind->paths)
			continue;
		r->kind->paths(a, r->record, &paths);
		for (size_t k = 0; k < paths.n; k++) {
			if (index_first(&seen, NULL, paths.items[k]))
				continue;
			index_add(own, &seen, NULL, paths.items[k], paths.items[k]);
			list_add(a, ret, paths.items[k]);
		}
	}
}

struct facts *observe_machine(const struct reader *const *readers)
{
	static const char *const names[] = {"machine", NULL};

	return perform_read(readers, names, NULL, NULL);
}

static json_object *request_of(const struct list *paths)
{
	json_object *o = json_object_new_object();

	json_put_texts(o, "paths", paths);
	return o;
}

/* By a worker. */
static void ask(sd_event *loop, struct one *one, json_object *request)
{
	const struct reader *reader = one->reader;
	_cleanup_(freep) char *name = xasprintf("read %s", reader->name);
	_cleanup_err_ struct err e = {0};
	const char *args[] = {"read", reader->name, NULL};
	struct worker_spec spec = {
		.name = name,
		.args = args,
		.request = reader->read_paths ? request : NULL,
		.timeout_ms = reader->deadline_ms,
		.lock_fd = -1,
		.ended = ended,
		.data = one,
	};

	if (worker_hangs(name))
		facts_add_unknown(one->all->facts, reader,
				  "the reader that took too long hangs still, and doesn't "
				  "die of SIGKILL: something in the kernel doesn't answer "
				  "(see dmesg)");
	else if (worker_start(loop, &spec, NULL, &e) < 0)
		facts_add_unknown(one->all->facts, reader, e.message);
	else
		one->all->pending++;
}

void observe(sd_event *loop, const struct reader *const *readers, const struct list *paths,
	     void (*done)(void *data, struct facts *facts), void *data)
{
	static const char *const nothing[] = {NULL};
	struct observing *o = xcalloc(1, sizeof(*o));
	json_object *request = request_of(paths);
	size_t n = 0;

	while (readers[n])
		n++;
	o->ones = xcalloc(n, sizeof(*o->ones));
	o->done = done;
	o->data = data;
	/* Time, boot and name of the host. */
	o->facts = perform_read(readers, nothing, NULL, NULL);
	o->pending = 1;
	/* In the readers' order, whichever answers first. */
	for (size_t i = 0; i < n; i++)
		facts_add_unknown(o->facts, readers[i], "not read yet");
	for (size_t i = 0; i < n; i++) {
		o->ones[i] = (struct one){.all = o, .reader = readers[i]};
		if (readers[i]->at_hand)
			perform_reading(o->facts, readers[i], paths, NULL);
		else
			ask(loop, &o->ones[i], request);
	}
	json_object_put(request);
	/* If every start failed, the answer still comes from the loop. */
	if (sd_event_add_defer(loop, &o->defer, on_defer, o) < 0)
		abort();
}

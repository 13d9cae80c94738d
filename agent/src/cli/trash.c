/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor trash: removed volumes listed, or destroyed for good. Whose they are the manifest's namespace
 * says. It goes to LVM itself, under the executor's lock: no apply and no undelete finds one half gone.
 */
#include "cli/trash.h"

#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "base/num.h"
#include "cli/destroy.h"
#include "cli/table.h"
#include "kinds/kinds.h"

static const char *day(struct arena *a, int64_t when)
{
	char text[32] = "";
	time_t t = (time_t)when;
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
	return arena_strdup(a, text);
}

/* The room that its end gives back. */
static const char *held(struct arena *a, const struct tombstone *t)
{
	char size[NUM_TEXT];

	if (t->held < 0)
		return NULL;
	return arena_printf(a, "%s%s", t->cloned ? "≤ " : "", num_size(size, (uint64_t)t->held));
}

static json_object *one_json(const struct tombstone *t)
{
	json_object *x = json_object_new_object();

	json_put_text(x, "volume", t->name);
	json_put_text(x, "storage", t->vg);
	json_put_text(x, "lv", t->lv);
	json_object_object_add(x, "size", json_object_new_int64((int64_t)t->size));
	if (t->held >= 0)
		json_object_object_add(x, "held", json_object_new_int64(t->held));
	json_object_object_add(x, "removed", json_object_new_int64(t->removed));
	json_object_object_add(x, "expires", json_object_new_int64(t->expires));
	json_object_object_add(x, "foreign", json_object_new_boolean(!t->ours));
	return x;
}

void trash_print(const struct trash *t, const struct options *o)
{
	static const struct table_column columns[] = {
		{"VOLUME", false},  {"STORAGE", false}, {"SIZE", true},
		{"REMOVED", false}, {"EXPIRES", false}, {"HOLDS", true},
	};
	struct arena *a = t->facts->arena;
	json_object *all = o->json ? json_object_new_array() : NULL;
	struct libscols_table *table =
		o->json ? NULL : table_new(columns, ARRAY_SIZE(columns), o->noheadings);
	size_t foreign = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct tombstone *x = &t->list[i];
		char size[NUM_TEXT];
		const char *cells[] = {
			x->name,
			x->vg,
			num_size(size, x->size),
			day(a, x->removed),
			x->expires > t->facts->time ? day(a, x->expires) : "expired",
			held(a, x),
		};

		foreign += !x->ours;
		if (all)
			json_object_array_add(all, one_json(x));
		else if (x->ours)
			table_row(table, ARRAY_SIZE(cells), cells);
	}
	if (all) {
		print_json(all);
		return;
	}
	table_print(table);
	if (foreign == t->n)
		printf("No removed volumes of ours are kept.\n");
	if (!foreign)
		return;
	printf("Of another namespace, left alone:");
	for (size_t i = 0; i < t->n; i++)
		if (!t->list[i].ours)
			printf(" %s/%s", t->list[i].vg, t->list[i].lv);
	printf("\n");
}

int trash_read(struct trash *t, const char *verb)
{
	static const struct reader *const readers[] = {&reader_lvm, NULL};
	int r = destroy_read(&t->facts, readers, verb);

	if (r == EXIT_FINE)
		volume_tombstones(t->facts->arena, t->facts, t->manifest, &t->list, &t->n);
	return r;
}

int trash_open(struct trash *t, const struct options *o, const char *verb)
{
	t->manifest = session_manifest(o);
	if (t->manifest)
		return trash_read(t, verb);
	fprintf(stderr,
		"manor %s: without a sound manifest nobody knows which removed volumes are its own: "
		"its namespace says that\n",
		verb);
	return EXIT_BAD;
}

void trash_done(struct trash *t)
{
	facts_free(t->facts);
	manifest_free(t->manifest);
	*t = (struct trash){0};
}

/* By what volume_meant() says, or as its LV is called, to mean one of several. */
static bool meant(struct arena *a, const struct tombstone *t, const char *what)
{
	return volume_meant(t, what) || streq(t->lv, what) ||
	       streq(arena_printf(a, "%s/%s", t->vg, t->lv), what);
}

/* Leaves in the list what is to go. Returns 0, or an exit code where a name means nothing. */
static int choose(struct trash *t, const struct options *o, int n_names, char **names)
{
	size_t n = 0;

	for (int k = 0; k < n_names; k++) {
		bool found = false;

		for (size_t i = 0; i < t->n; i++)
			found |= t->list[i].ours && meant(t->facts->arena, &t->list[i], names[k]);
		if (found)
			continue;
		fprintf(stderr,
			"manor trash: no removed volume of ours of '%s' is kept; `manor trash ls` "
			"lists them\n",
			names[k]);
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < t->n; i++) {
		const struct tombstone *x = &t->list[i];
		bool named = n_names == 0;

		for (int k = 0; k < n_names; k++)
			named |= meant(t->facts->arena, x, names[k]);
		if (!x->ours || !named || (o->expired && x->expires > t->facts->time) ||
		    (o->older_than >= 0 && x->removed > t->facts->time - o->older_than))
			continue;
		t->list[n++] = *x;
	}
	t->n = n;
	return 0;
}

static int destroy(const struct trash *t, const struct facts *now, const struct options *o)
{
	json_object *all = o->json ? json_object_new_array() : NULL;
	int code = EXIT_FINE;

	for (size_t i = 0; i < t->n; i++) {
		const struct tombstone *x = &t->list[i];
		_cleanup_err_ struct err e = {0};
		int r = volume_purge(now, x, &e);

		destroy_journal(one_json(x), "trash", r < 0 ? &e : NULL);
		if (r < 0) {
			fprintf(stderr, "manor trash: volume/%s: %s\n", x->name, e.message);
			code = EXIT_FAILED;
		} else if (all) {
			json_object_array_add(all, one_json(x));
		} else {
			printf("volume/%s: %s/%s is destroyed\n", x->name, x->vg, x->lv);
		}
	}
	if (all)
		print_json(all);
	return code;
}

/* What goes, and in which form it is shown. */
struct shown {
	const struct trash *trash;
	const struct options *o;
};

static void show(const void *data)
{
	const struct shown *s = data;

	trash_print(s->trash, s->o);
}

static int empty(struct trash *t, const struct options *o, int n_names, char **names)
{
	_cleanup_(closep) int lock = -1;
	_cleanup_(freep) char *would = NULL;
	struct trash now = {0};
	int r;

	r = choose(t, o, n_names, names);
	if (r)
		return r;
	if (!t->n) {
		if (o->json)
			print_json(json_object_new_array());
		else
			printf("Nothing to destroy.\n");
		return EXIT_FINE;
	}
	would = xasprintf("destroy %zu removed volume%s for good", t->n, t->n > 1 ? "s" : "");
	r = destroy_confirm(o, "trash", would,
			    t->n == 1 ? "DESTROY it for good" : "DESTROY them for good", show,
			    &(struct shown){t, o});
	if (r)
		return r;
	lock = destroy_lock("trash");
	if (lock < 0)
		return EXIT_FAILED;
	/* A person may think for long: what was brought back meanwhile is no tombstone any more. */
	now.manifest = t->manifest;
	r = trash_read(&now, "trash");
	if (r == EXIT_FINE)
		r = destroy(t, now.facts, o);
	facts_free(now.facts);
	return r;
}

int verb_trash(int argc, char **argv)
{
	static const char *const accepts[] = {"file",       "format",  "noheadings", "yes",
					      "older-than", "expired", "operands",   NULL};
	_cleanup_(trash_done) struct trash t = {0};
	struct options o;
	int rest;
	int r = options_read(argc, argv, accepts, &o, &rest);
	const char *what = r || rest >= argc ? NULL : argv[rest];
	bool ls = streq(what, "ls");

	if (r)
		return r < 0 ? EXIT_FINE : r;
	if (!ls && !streq(what, "empty")) {
		fprintf(stderr, "manor trash: say ls or empty; see `manor help trash`\n");
		return EXIT_BAD;
	}
	if (ls && (argc - rest > 1 || o.yes)) {
		fprintf(stderr, "manor trash ls: takes no %s; see `manor help trash`\n",
			o.yes ? "--yes" : "name");
		return EXIT_BAD;
	}
	r = trash_open(&t, &o, argv[0]);
	if (r)
		return r;
	if (!ls)
		return empty(&t, &o, argc - rest - 1, argv + rest + 1);
	if (o.older_than >= 0 || o.expired)
		choose(&t, &o, 0, NULL);
	trash_print(&t, &o);
	return EXIT_FINE;
}

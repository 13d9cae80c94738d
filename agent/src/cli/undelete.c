/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor undelete: removed volumes listed, or brought back: the newest of a name, or all of a domain's.
 * Whose they are the manifest's namespace says. It goes to LVM itself, whose own lock keeps it apart
 * from an apply.
 */
#include <stdio.h>
#include <time.h>

#include "base/num.h"
#include "cli/session.h"
#include "cli/table.h"
#include "kinds/kinds.h"
#include "kinds/volume.h"

static const char *day(struct arena *a, int64_t when)
{
	char text[32] = "";
	time_t t = (time_t)when;
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
	return arena_strdup(a, text);
}

static void list(struct arena *a, const struct options *o, const struct tombstone *t, size_t n)
{
	static const struct table_column columns[] = {
		{"VOLUME", false}, {"STORAGE", false}, {"SIZE", true}, {"REMOVED", false},
		{"EXPIRES", false},
	};
	json_object *all = o->json ? json_object_new_array() : NULL;
	size_t foreign = 0;
	struct libscols_table *table =
		o->json ? NULL : table_new(columns, ARRAY_SIZE(columns), o->noheadings);

	for (size_t i = 0; i < n; i++) {
		char size[NUM_TEXT];
		const char *cells[] = {t[i].name, t[i].vg, num_size(size, t[i].size),
				       day(a, t[i].removed), day(a, t[i].expires)};
		json_object *x;

		if (!all) {
			foreign += !t[i].ours;
			if (t[i].ours)
				table_row(table, ARRAY_SIZE(cells), cells);
			continue;
		}
		x = json_object_new_object();
		json_put_text(x, "volume", t[i].name);
		json_put_text(x, "storage", t[i].vg);
		json_put_text(x, "lv", t[i].lv);
		json_object_object_add(x, "size", json_object_new_int64((int64_t)t[i].size));
		json_object_object_add(x, "removed", json_object_new_int64(t[i].removed));
		json_object_object_add(x, "expires", json_object_new_int64(t[i].expires));
		json_object_object_add(x, "foreign", json_object_new_boolean(!t[i].ours));
		json_object_array_add(all, x);
	}
	if (all)
		print_json(all);
	else
		table_print(table);
	if (!all && foreign == n)
		printf("No removed volumes of ours are kept.\n");
	if (!all && foreign) {
		printf("Of another namespace, left alone:");
		for (size_t i = 0; i < n; i++)
			if (!t[i].ours)
				printf(" %s/%s", t[i].vg, t[i].lv);
		printf("\n");
	}
}

/* Whether a newer tombstone of that volume stands before it. One of another's counts only where there
 * is none of ours. */
static bool older(const struct tombstone *t, size_t n, size_t index)
{
	for (size_t i = 0; i < n; i++)
		if (streq(t[i].name, t[index].name) &&
		    (t[i].ours != t[index].ours ? t[i].ours : i < index))
			return true;
	return false;
}

static int bring_back(struct arena *a, const struct facts *f, const char *what,
		      const struct tombstone *t, size_t n)
{
	int exit_code = EXIT_FINE;
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		_cleanup_err_ struct err e = {0};

		if (!volume_meant(&t[i], what) || older(t, n, i))
			continue;
		found++;
		if (volume_undelete(a, f, &t[i], &e) == 0) {
			printf("volume/%s is back: %s/%s, kept until a manifest names it\n",
			       t[i].name, t[i].vg, t[i].name);
			continue;
		}
		fprintf(stderr, "manor undelete: volume/%s: %s\n", t[i].name, e.message);
		if (e.help)
			fprintf(stderr, "  help: %s\n", e.help);
		exit_code = EXIT_FAILED;
	}
	if (found)
		return exit_code;
	fprintf(stderr, "manor undelete: no removed volume of '%s' is kept; there %s%s", what,
		n ? "are: " : "are none", n ? "" : "\n");
	for (size_t i = 0; i < n; i++)
		if (!older(t, n, i))
			fprintf(stderr, "%s%s", i ? ", " : "", t[i].name);
	if (n)
		fprintf(stderr, "\n");
	return EXIT_FAILED;
}

int verb_undelete(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "noheadings", "operands", NULL};
	_cleanup_manifest_ struct manifest *m = NULL;
	_cleanup_facts_ struct facts *f = NULL;
	_cleanup_err_ struct err e = {0};
	struct tombstone *tombstones;
	struct options o;
	void *record;
	int rest;
	size_t n;
	int r = options_read(argc, argv, accepts, &o, &rest);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	if (argc - rest > 1) {
		fprintf(stderr, "manor undelete: one volume or domain at a time\n");
		return EXIT_BAD;
	}
	m = session_manifest(&o);
	if (!m) {
		fprintf(stderr,
			"manor undelete: without a sound manifest nobody knows which removed "
			"volumes are its own: its namespace says that\n");
		return EXIT_BAD;
	}
	f = facts_new();
	f->time = time(NULL);
	record = arena_alloc(f->arena, reader_lvm.table->size);
	if (reader_lvm.read(f->arena, record, &e) < 0) {
		fprintf(stderr, "manor undelete: %s\n", e.message);
		return EXIT_FAILED;
	}
	facts_add_known(f, &reader_lvm, record);
	volume_tombstones(f->arena, f, m, &tombstones, &n);
	if (rest >= argc) {
		list(f->arena, &o, tombstones, n);
		return EXIT_FINE;
	}
	return bring_back(f->arena, f, argv[rest], tombstones, n);
}

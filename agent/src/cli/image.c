/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor image: golden images as they are on this host: bases in the storages and boot files in the cache.
 */
#include <stdio.h>

#include "base/json.h"
#include "base/num.h"
#include "cli/destroy.h"
#include "cli/session.h"
#include "cli/table.h"
#include "kinds/golden.h"
#include "kinds/kinds.h"

#define DIGITS_SHOWN 12

struct images {
	struct options o;
	char **names; /* what follows `ls` and the like */
	size_t n_names;
	struct manifest *manifest;
	struct manifest *force; /* the one in force, where another is meant: what it names is named, too */
	struct facts *facts;
	struct golden *list;
	size_t n;
};

static void images_done(struct images *x)
{
	facts_free(x->facts);
	manifest_free(x->manifest);
	manifest_free(x->force);
}

/* Returns 0, or an exit code, having said why. */
static int images_read(struct images *x)
{
	static const struct reader *const readers[] = {&reader_lvm, &reader_cache, NULL};
	int r = destroy_read(&x->facts, readers, "image");

	if (r == EXIT_FINE)
		golden_list(x->facts->arena, x->facts, x->manifest, x->force, &x->list, &x->n);
	return r;
}

static int images_open(struct images *x)
{
	x->manifest = session_manifest(&x->o);
	if (!x->manifest) {
		fprintf(stderr,
			"manor image: without a sound manifest nobody knows which images are "
			"its own, and which are named\n");
		return EXIT_BAD;
	}
	if (x->o.file)
		x->force = session_in_force();
	return images_read(x);
}

static json_object *one_json(const struct golden *g)
{
	json_object *o = json_object_new_object(), *clones = json_object_new_array();

	json_put_text(o, "digest", g->sha256);
	if (g->vg) {
		json_put_text(o, "storage", g->vg);
		json_put_text(o, "lv", g->lv);
	}
	json_put_text(o, "named", g->named);
	json_object_object_add(o, "size", json_object_new_uint64(g->size));
	if (g->mapped >= 0)
		json_object_object_add(o, "mapped", json_object_new_int64(g->mapped));
	for (size_t i = 0; i < g->clones.n; i++)
		json_object_array_add(clones, json_object_new_string(g->clones.items[i]));
	json_object_object_add(o, "clones", clones);
	if (g->vg) {
		json_object_object_add(o, "read_only", json_object_new_boolean(g->read_only));
		json_object_object_add(o, "filling", json_object_new_boolean(g->filling));
	} else {
		json_object_object_add(o, "unpacked", json_object_new_boolean(g->unpacked));
	}
	json_object_object_add(o, "foreign", json_object_new_boolean(!g->ours));
	json_object_object_add(o, "unused", json_object_new_boolean(golden_garbage(g)));
	json_put_text(o, "stays", g->stays);
	return o;
}

static const char *state(const struct golden *g)
{
	if (!g->vg)
		return g->unpacked ? "unpacked" : NULL;
	return g->filling ? "half-made" : g->read_only ? "read-only" : "writable";
}

static const char *size_text(struct arena *a, int64_t bytes)
{
	char size[NUM_TEXT];

	return bytes < 0 ? NULL : arena_strdup(a, num_size(size, (uint64_t)bytes));
}

static void print_json_list(const struct images *x)
{
	json_object *all = json_object_new_array();

	for (size_t i = 0; i < x->n; i++)
		json_object_array_add(all, one_json(&x->list[i]));
	print_json(all);
}

static void print_table(const struct images *x)
{
	static const struct table_column columns[] = {
		{"DIGEST", false}, {"PLACE", false}, {"FILE", false},  {"SIZE", true},
		{"HOLDS", true},   {"CLONES", true}, {"STATE", false},
	};
	struct libscols_table *table = table_new(columns, ARRAY_SIZE(columns), x->o.noheadings);
	struct arena *a = x->facts->arena;

	for (size_t i = 0; i < x->n; i++) {
		const struct golden *g = &x->list[i];
		const char *cells[] = {
			arena_strndup(a, g->sha256, DIGITS_SHOWN),
			g->vg ? g->vg : "cache",
			g->named,
			size_text(a, (int64_t)g->size),
			size_text(a, g->mapped),
			arena_printf(a, "%zu", g->clones.n),
			state(g),
		};

		if (g->ours)
			table_row(table, ARRAY_SIZE(cells), cells);
	}
	table_print(table);
}

static int list(struct images *x)
{
	size_t foreign = 0;
	int r = images_open(x);

	if (r)
		return r;
	if (x->o.json) {
		print_json_list(x);
		return EXIT_FINE;
	}
	print_table(x);
	for (size_t i = 0; i < x->n; i++)
		foreign += !x->list[i].ours;
	if (foreign == x->n)
		printf("No images of ours are here.\n");
	if (!foreign)
		return EXIT_FINE;
	printf("Of another namespace, left alone:");
	for (size_t i = 0; i < x->n; i++)
		if (!x->list[i].ours)
			printf(" %s/%s", x->list[i].vg, x->list[i].lv);
	printf("\n");
	return EXIT_FINE;
}

/* What each takes beside -f and --format. */
static const struct sub {
	const char *name;
	int (*run)(struct images *x);
	bool operands, yes, noheadings;
} subs[] = {
	{"ls", list, false, false, true},
};

static int refuse(const char *sub, const char *what)
{
	fprintf(stderr, "manor image %s: takes no %s; see `manor help image`\n", sub, what);
	return EXIT_BAD;
}

int verb_image(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "noheadings", "operands", NULL};
	_cleanup_(images_done) struct images x = {0};
	const struct sub *s = NULL;
	int rest;
	int r = options_read(argc, argv, accepts, &x.o, &rest);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	for (size_t i = 0; rest < argc && i < ARRAY_SIZE(subs); i++)
		if (streq(subs[i].name, argv[rest]))
			s = &subs[i];
	if (!s) {
		fprintf(stderr, "manor image: say ls; see `manor help image`\n");
		return EXIT_BAD;
	}
	x.names = argv + rest + 1;
	x.n_names = (size_t)(argc - rest - 1);
	if (x.n_names && !s->operands)
		return refuse(s->name, "operand");
	if (x.o.yes && !s->yes)
		return refuse(s->name, "--yes");
	if (x.o.noheadings && !s->noheadings)
		return refuse(s->name, "--noheadings");
	return s->run(&x);
}

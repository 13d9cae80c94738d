/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor image: golden images as they are on this host, bases in the storages and boot files in the cache:
 * listed, imported, verified, or destroyed, by name or those that nobody would miss.
 */
#include <stdio.h>

#include "base/json.h"
#include "base/num.h"
#include "cli/destroy.h"
#include "cli/image.h"
#include "cli/session.h"
#include "cli/table.h"
#include "engine/observe.h"
#include "engine/store.h"
#include "kinds/golden.h"
#include "kinds/kinds.h"
#include "kinds/path_facts.h"
#include "kinds/template.h"

#define DIGITS_SHOWN 12

static void images_done(struct images *x)
{
	facts_free(x->facts);
	manifest_free(x->manifest);
	manifest_free(x->force);
}

int images_manifest(struct images *x)
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
	return EXIT_FINE;
}

int images_read(struct images *x, const struct reader *const *readers)
{
	int r = destroy_read(&x->facts, readers, "image");
	struct list paths = {0};
	struct path_facts *files;

	if (r != EXIT_FINE)
		return r;
	/* Clones that are files: they may need a kernel that no template names any more. */
	observe_paths(x->facts->arena, x->manifest, &paths);
	observe_paths(x->facts->arena, x->force, &paths);
	files = arena_alloc(x->facts->arena, sizeof(*files));
	if (reader_paths.read_paths(x->facts->arena, &paths, files, NULL) == 0)
		facts_add_known(x->facts, &reader_paths, files);
	golden_list(x->facts->arena, x->facts, x->manifest, x->force, &x->list, &x->n);
	return EXIT_FINE;
}

static const struct reader *const readers[] = {&reader_lvm, &reader_cache, NULL};

static int images_open(struct images *x)
{
	int r = images_manifest(x);

	return r ? r : images_read(x, readers);
}

/* Its first digits; of a snapshot that was left, its name. */
static const char *shown(struct arena *a, const struct golden *g)
{
	return g->left ? g->lv : arena_strndup(a, g->sha256, DIGITS_SHOWN);
}

static json_object *one_json(const struct golden *g)
{
	json_object *o = json_object_new_object();

	if (!g->left)
		json_put_text(o, "digest", g->sha256);
	if (g->vg) {
		json_put_text(o, "storage", g->vg);
		json_put_text(o, "lv", g->lv);
	}
	json_put_text(o, "named", g->named);
	json_object_object_add(o, "size", json_object_new_uint64(g->size));
	if (g->mapped >= 0)
		json_object_object_add(o, "mapped", json_object_new_int64(g->mapped));
	json_put_texts(o, "clones", &g->clones);
	if (g->vg) {
		json_object_object_add(o, "read_only", json_object_new_boolean(g->read_only));
		json_object_object_add(o, "filling", json_object_new_boolean(g->filling));
		json_object_object_add(o, "under_way",
				       json_object_new_boolean(g->filling && g->open));
	} else {
		json_object_object_add(o, "image", json_object_new_boolean(g->image));
		json_object_object_add(o, "unpacked", json_object_new_boolean(g->unpacked));
	}
	json_object_object_add(o, "foreign", json_object_new_boolean(!g->ours));
	json_object_object_add(o, "unused", json_object_new_boolean(golden_garbage(g)));
	json_put_text(o, "captured", g->captured);
	json_put_text(o, "stays", g->stays);
	return o;
}

static const char *state(const struct golden *g)
{
	if (g->image)
		return "image";
	if (!g->vg)
		return g->unpacked ? "unpacked" : NULL;
	if (g->filling && g->open)
		return "under way";
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
			shown(a, g),
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

/* --- rm, gc --- */

/* Marks what is meant; another namespace's only where its very name is said. Returns 0, or an exit code where a name means nothing, or more than one image. */
static int choose(const struct images *x, bool *chosen)
{
	for (size_t k = 0; k < x->n_names; k++) {
		const struct golden *found = NULL;

		for (size_t i = 0; i < x->n; i++) {
			const struct golden *g = &x->list[i];

			if (!golden_meant(g, x->names[k]) ||
			    (!g->ours && !strchr(x->names[k], '/')))
				continue;
			if (found && !streq(found->sha256, g->sha256)) {
				fprintf(stderr,
					"manor image: '%s' is how several digests begin, %s "
					"and %s: say more of it\n",
					x->names[k], found->sha256, g->sha256);
				return EXIT_FAILED;
			}
			found = g;
			chosen[i] = true;
		}
		if (found)
			continue;
		fprintf(stderr,
			"manor image: there is no image of ours '%s'; `manor image ls` lists them\n",
			x->names[k]);
		return EXIT_FAILED;
	}
	return EXIT_FINE;
}

/* Leaves in the list what is chosen. */
static void keep(struct images *x, const bool *chosen)
{
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++)
		if (chosen[i])
			x->list[n++] = x->list[i];
	x->n = n;
}

static const char *title(struct arena *a, const struct golden *g)
{
	return arena_printf(a, "%s in %s", shown(a, g), g->vg ? g->vg : "the cache");
}

/* "3 images for good, which frees up to 1.2 GiB" */
static const char *loss(const struct images *x)
{
	uint64_t bytes = 0;
	bool exact = true;
	char size[NUM_TEXT];

	for (size_t i = 0; i < x->n; i++) {
		bytes += x->list[i].mapped >= 0 ? (uint64_t)x->list[i].mapped : x->list[i].size;
		exact &= x->list[i].mapped >= 0;
	}
	return arena_printf(x->facts->arena, "%zu image%s for good, which frees %s%s", x->n,
			    x->n == 1 ? "" : "s", exact ? "" : "up to ", num_size(size, bytes));
}

/* What goes, and what of it comes again. */
static void show(const void *data)
{
	const struct images *x = data;

	print_table(x);
	for (size_t i = 0; i < x->n; i++)
		if (x->list[i].named)
			printf("%s is named by %s: the next apply imports it again\n",
			       title(x->facts->arena, &x->list[i]), x->list[i].named);
}

/* What was chosen a while ago, as it is now. */
static const struct golden *again(const struct images *now, const struct golden *g)
{
	for (size_t i = 0; i < now->n; i++)
		if (streq(now->list[i].sha256, g->sha256) && streq(now->list[i].vg, g->vg) &&
		    now->list[i].image == g->image)
			return &now->list[i];
	return NULL;
}

/* Nothing that came to be needed meanwhile; `garbage`: nor to be named. */
static int destroy(const struct images *x, const struct images *now, bool garbage)
{
	json_object *all = x->o.json ? json_object_new_array() : NULL;
	int code = EXIT_FINE;

	for (size_t i = 0; i < x->n; i++) {
		const struct golden *g = again(now, &x->list[i]);
		_cleanup_err_ struct err e = {0};
		int r;

		if (!g || (garbage && !golden_garbage(g)))
			continue;
		r = golden_remove(g, &e);
		destroy_journal(one_json(g), "image", r < 0 ? &e : NULL);
		if (r < 0) {
			fprintf(stderr, "manor image: %s: %s\n", title(now->facts->arena, g),
				e.message);
			code = EXIT_FAILED;
		} else if (all) {
			json_object_array_add(all, one_json(g));
		} else {
			printf("%s is destroyed\n", title(now->facts->arena, g));
		}
	}
	if (all)
		print_json(all);
	return code;
}

static int destroy_list(struct images *x, bool garbage)
{
	_cleanup_(closep) int lock = -1;
	struct images now = {.manifest = x->manifest};
	int r;

	r = destroy_confirm(&x->o, "image", arena_printf(x->facts->arena, "destroy %s", loss(x)),
			    arena_printf(x->facts->arena, "DESTROY %s", loss(x)), show, x);
	if (r)
		return r;
	lock = destroy_lock("image");
	if (lock < 0)
		return EXIT_FAILED;
	/* A person may think for long: a clone may have been made, another manifest applied. */
	now.force = session_in_force();
	if (!now.force && access(STORE_MANIFEST, F_OK) == 0) {
		fprintf(stderr,
			"manor image: what the manifest in force names is not known, so nothing "
			"is destroyed; apply one that is sound\n");
		return EXIT_FAILED;
	}
	r = images_read(&now, readers);
	if (r == EXIT_FINE)
		r = destroy(x, &now, garbage);
	facts_free(now.facts);
	manifest_free(now.force);
	return r;
}

static int rm(struct images *x)
{
	_cleanup_(freep) bool *chosen = NULL;
	int r;

	if (!x->n_names) {
		fprintf(stderr, "manor image rm: say which, as `manor image ls` shows them; see "
				"`manor help image`\n");
		return EXIT_BAD;
	}
	r = images_open(x);
	if (r)
		return r;
	chosen = xcalloc(x->n + 1, sizeof(*chosen));
	r = choose(x, chosen);
	if (r)
		return r;
	keep(x, chosen);
	/* All of them or none. */
	for (size_t i = 0; i < x->n; i++) {
		if (!x->list[i].stays)
			continue;
		fprintf(stderr, "manor image: %s can't be removed: %s\n",
			title(x->facts->arena, &x->list[i]), x->list[i].stays);
		r = EXIT_FAILED;
	}
	return r ? r : destroy_list(x, false);
}

static int gc(struct images *x)
{
	_cleanup_(freep) bool *chosen = NULL;
	int r = images_open(x);

	if (r)
		return r;
	chosen = xcalloc(x->n + 1, sizeof(*chosen));
	for (size_t i = 0; i < x->n; i++)
		chosen[i] = golden_garbage(&x->list[i]);
	keep(x, chosen);
	if (x->n && !x->o.dry_run) {
		/* Where nobody is asked, it is shown all the same. */
		if (x->o.yes && !x->o.json)
			show(x);
		return destroy_list(x, true);
	}
	if (x->o.json) {
		print_json_list(x);
	} else if (x->n) {
		show(x);
		printf("This would destroy %s.\n", loss(x));
	} else {
		printf("Nothing to destroy: each image is named by a template or needed by a "
		       "volume.\n");
	}
	return EXIT_FINE;
}

/* --- verify --- */

static json_object *finding_json(const struct golden_finding *f)
{
	json_object *o = json_object_new_object();

	json_put_text(o, "digest", f->sha256);
	json_put_text(o, "storage", f->vg);
	json_put_text(o, "named", f->named);
	json_put_text(o, "result", golden_result_words[f->result]);
	json_put_text(o, "why", f->why);
	return o;
}

static void add_finding(struct images *x, json_object *all, struct libscols_table *table,
			const struct golden_finding *f)
{
	const char *cells[] = {
		arena_strndup(x->facts->arena, f->sha256,
			      strchr(f->sha256, '.') ? strlen(f->sha256) : DIGITS_SHOWN),
		f->vg ? f->vg : "cache",
		f->named,
		f->why ? arena_printf(x->facts->arena, "%s: %s", golden_result_words[f->result],
				      f->why)
		       : golden_result_words[f->result],
	};

	if (all)
		json_object_array_add(all, finding_json(f));
	else
		table_row(table, ARRAY_SIZE(cells), cells);
}

static int verify(struct images *x)
{
	static const struct table_column columns[] = {
		{"DIGEST", false}, {"PLACE", false}, {"FILE", false}, {"RESULT", false},
	};
	_cleanup_(freep) bool *chosen = NULL;
	struct libscols_table *table = NULL;
	struct golden_finding one, *rest = NULL;
	json_object *all = NULL;
	size_t n_rest = 0;
	int r = images_open(x), code = EXIT_FINE;

	if (r)
		return r;
	chosen = xcalloc(x->n + 1, sizeof(*chosen));
	r = choose(x, chosen);
	if (r)
		return r;
	if (x->o.json)
		all = json_object_new_array();
	else
		table = table_new(columns, ARRAY_SIZE(columns), x->o.noheadings);
	if (!x->n_names)
		golden_check_rest(x->facts->arena, x->facts, x->manifest, x->list, x->n, &rest,
				  &n_rest);
	for (size_t i = 0; i < x->n; i++) {
		if (x->n_names ? !chosen[i] : !x->list[i].ours)
			continue;
		golden_check(x->facts->arena, x->facts, &x->list[i], &one);
		add_finding(x, all, table, &one);
		if (one.result == GOLDEN_WRONG)
			code = EXIT_FAILED;
	}
	for (size_t i = 0; i < n_rest; i++) {
		add_finding(x, all, table, &rest[i]);
		code = EXIT_FAILED;
	}
	if (all)
		print_json(all);
	else
		table_print(table);
	return code;
}

/* --- pull --- */

/* Of one template what its domains, or it itself, want on this host. */
static int pull_one(const struct images *x, const struct resource *r)
{
	const struct template *t = r->record;
	_cleanup_(freep) char *only = xasprintf("template/%s", r->name);

	if (t->imports.n)
		return cli_converge(only, &x->o);
	fprintf(stderr, "manor image: %s: no domain wants a file of it, nor says it a storage\n",
		only);
	return EXIT_FINE;
}

static const struct resource *template_of(const struct manifest *m, const char *name)
{
	if (startswith(name, "template/"))
		name += strlen("template/");
	return manifest_find(m, "template", name);
}

/* Goes on after a failure, not after Ctrl-C; the first that isn't well is how it ends. */
static int pull(struct images *x)
{
	int code = EXIT_FINE;

	x->manifest = session_manifest(&x->o);
	if (!x->manifest)
		return EXIT_BAD;
	for (size_t k = 0; k < x->n_names; k++) {
		if (template_of(x->manifest, x->names[k]))
			continue;
		fprintf(stderr, "manor image pull: %s declares no template '%s'\n",
			x->manifest->source.name, x->names[k]);
		return EXIT_BAD;
	}
	for (size_t i = 0; i < x->manifest->n_resources; i++) {
		const struct resource *r = x->manifest->resources[i];
		const struct template *t = r->record;
		bool meant = r->kind == &kind_template && x->n_names == 0 && t->imports.n;
		int r2;

		for (size_t k = 0; k < x->n_names; k++)
			meant |= template_of(x->manifest, x->names[k]) == r;
		if (!meant)
			continue;
		r2 = pull_one(x, r);
		if (r2 == EXIT_INTERRUPTED)
			return r2;
		code = code ? code : r2;
	}
	return code;
}

/* What each takes beside -f and --format. */
static const struct sub {
	const char *name;
	int (*run)(struct images *x);
	const char *takes; /* options, one blank around each */
	bool operands;
} subs[] = {
	{"ls", list, " --noheadings "},
	{"pull", pull, "", true},
	{"verify", verify, " --noheadings ", true},
	{"rm", rm, " --noheadings --yes ", true},
	{"gc", gc, " --noheadings --yes --dry-run "},
	{"import", image_import, " --storage --boot --member --type --sha256 ", true},
	{"export", image_export, " --output --force --live ", true},
	{"capture", image_capture, " --disk --output --force ", true},
};

static int refuse(const char *sub, const char *what)
{
	fprintf(stderr, "manor image %s: takes no %s; see `manor help image`\n", sub, what);
	return EXIT_BAD;
}

/* An option that was given and isn't this one's; NULL: none. */
static const char *not_taken(const struct sub *s, const struct options *o)
{
	const struct {
		const char *name;
		bool given;
	} all[] = {
		{"--yes", o->yes},
		{"--dry-run", o->dry_run},
		{"--noheadings", o->noheadings},
		{"--output", o->output != NULL},
		{"--force", o->force},
		{"--live", o->live},
		{"--disk", o->disk != NULL},
		{"--storage", o->storage != NULL},
		{"--member", o->member != NULL},
		{"--type", o->type != NULL},
		{"--sha256", o->sha256 != NULL},
		{"--boot", o->boot},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		_cleanup_(freep) char *word = xasprintf(" %s ", all[i].name);

		if (all[i].given && !strstr(s->takes, word))
			return all[i].name;
	}
	return NULL;
}

int verb_image(int argc, char **argv)
{
	static const char *const accepts[] = {
		"file", "format",  "noheadings", "yes",  "dry-run", "output", "force",    "live",
		"disk", "storage", "member",     "type", "sha256",  "boot",   "operands", NULL};
	_cleanup_(images_done) struct images x = {0};
	const struct sub *s = NULL;
	const char *bad;
	int rest;
	int r = options_read(argc, argv, accepts, &x.o, &rest);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	for (size_t i = 0; rest < argc && i < ARRAY_SIZE(subs); i++)
		if (streq(subs[i].name, argv[rest]))
			s = &subs[i];
	if (!s) {
		fprintf(stderr, "manor image: say ls, pull, verify, rm, gc, import, export or "
				"capture; see `manor help image`\n");
		return EXIT_BAD;
	}
	x.names = argv + rest + 1;
	x.n_names = (size_t)(argc - rest - 1);
	if (x.n_names && !s->operands)
		return refuse(s->name, "operand");
	bad = not_taken(s, &x.o);
	return bad ? refuse(s->name, bad) : s->run(&x);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Included files. They are read before any section is, so that what one declares another may name,
 * whatever the order. A file is the same by whatever path it is reached: links are resolved, where there
 * are files to look at; what was kept or sent says where they led.
 */
#include "model/include.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/str.h"

#define DEPTH_MAX 8           /* files that include each other, the manifest apart */
#define FILES_MAX 64          /* of one manifest, itself among them */
#define SHARED    MANOR_SHARE /* what is installed with the program, for all manifests */

struct including {
	struct manifest *m;
	struct decode *c;
	struct list paths; /* as they were named, each once */
	size_t bytes, nodes; /* so much more may come */
	unsigned order;
};

/* The top level of an included file, its sections apart. */
struct fragment {
	struct record rec;
	int64_t version;
	struct list include;
};

TABLE(fragment_table, fragment, "included file", "A part of a manifest.",
      {.name = "manor", .type = FIELD_INT, .offset = FIELD_AT(fragment, version),
       .min = MANIFEST_VERSION, .max = MANIFEST_VERSION,
       .doc = "the format's version, if it is to be said here as well"},
      INCLUDE_FIELD(fragment));

/* What hosts there are, and what each is, stands in one place. */
static const char *const whole_only[] = {"namespace", "host", "max_removals", "hosts", NULL};

static bool below(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	while (n > 0 && dir[n - 1] == '/')
		n--;
	return strncmp(dir, path, n) == 0 && path[n] == '/';
}

bool include_allowed(const char *dir, const char *path)
{
	_cleanup_(freep) char *shared = realpath(SHARED, NULL);

	return below(dir, path) || below(shared ? shared : SHARED, path);
}

/* As the operator would call it: from the manifest's own name, if that leads there. */
static const char *name_of(const struct manifest *m, const char *real)
{
	const char *slash = strrchr(m->source.name, '/');
	_cleanup_(freep) char *back = NULL;
	char *name;

	if (!below(m->dir, real))
		return real;
	name = arena_printf(m->arena, "%.*s%s", slash ? (int)(slash - m->source.name + 1) : 0,
			    m->source.name, real + strlen(m->dir) + !streq(m->dir, "/"));
	back = realpath(name, NULL);
	return streq(back, real) ? name : real;
}

static void unread(struct including *x)
{
	x->m->partly = true;
}

/* Where the path leads, said to be wrong where it mayn't. */
static int resolve(struct including *x, const char *path, const struct node *item,
		   struct manifest_file *ret)
{
	struct manifest *m = x->m;
	_cleanup_(freep) char *real = NULL;
	struct diag *g;

	if (m->closed) {
		const struct manifest_file *kept = manifest_file(m, path);

		if (!kept || !kept->real || *kept->real != '/') {
			diag_error(m->diags, "unreadable-file", item->span,
				   "%s did not come with the manifest", path);
			return -ENOENT;
		}
		ret->real = kept->real;
		ret->name = kept->name ? kept->name : kept->real;
		return 0;
	}
	manifest_look_at(m, path);
	real = realpath(path, NULL);
	if (!real) {
		int r = -errno;

		g = diag_error(m->diags, "unreadable-file", item->span, "'include': open %s: %s",
			       path, strerror(-r));
		if (*item->text != '/')
			diag_help(m->diags, g,
				  "a relative path starts at the folder of the file that it stands "
				  "in");
		return r;
	}
	if (!include_allowed(m->dir, real)) {
		g = streq(path, real) ? diag_error(m->diags, "outside", item->span,
						   "%s is not below %s", path, m->dir)
				      : diag_error(m->diags, "outside", item->span,
						   "%s leads to %s, which is not below %s",
						   item->text, real, m->dir);
		diag_help(m->diags, g,
			  "what is included lies in the manifest's folder, or below it, or is one "
			  "of those in %s; links don't change that",
			  SHARED);
		return -EPERM;
	}
	ret->real = arena_strdup(m->arena, real);
	ret->name = name_of(m, ret->real);
	return 0;
}

/* From the manifest to the file that includes `s`, and that one: "a.yaml → b.yaml". */
static const char *chain(struct arena *a, const struct source *s)
{
	if (!s->included)
		return s->name;
	return arena_printf(a, "%s → %s", chain(a, s->included->source), s->name);
}

/* Whether the file is one of those that led here; then it was said. */
static bool check_cycle(struct including *x, const struct node *item, const struct manifest_file *f)
{
	const struct source *by = item->span.source, *s = by;

	while (!streq(s->path, f->real)) {
		if (!s->included)
			return false;
		s = s->included->source;
	}
	diag_error(x->m->diags, "cycle", item->span, "%s includes itself: %s → %s", s->name,
		   chain(x->m->arena, by), s->name);
	return true;
}

/* What may stand in the manifest itself only. It is taken out of the tree. */
static void refuse_whole_only(struct including *x, struct node *root)
{
	size_t n = 0;

	for (size_t i = 0; i < root->n; i++) {
		const struct node *key = root->pairs[i].key;

		if (word_find(whole_only, key->text) < 0) {
			root->pairs[n++] = root->pairs[i];
			continue;
		}
		diag_error(x->m->diags, "misplaced-key", key->span,
			   "'%s' stands in an included file; it belongs in the manifest itself, %s",
			   key->text, x->m->source.name);
	}
	root->n = n;
}

static struct node *load(struct including *x, const struct manifest_file *f,
			 const struct node *item)
{
	struct manifest *m = x->m;
	struct source *s = arena_alloc(m->arena, sizeof(*s));
	char *slash, *dir = arena_strdup(m->arena, f->real);
	struct node *root;
	size_t nodes;

	slash = strrchr(dir, '/');
	slash[slash == dir] = '\0';
	*s = (struct source){
		.name = f->name,
		.text = f->text,
		.size = f->size,
		.dir = dir,
		.path = f->real,
		.included = &item->span,
		.order = ++x->order,
	};
	root = node_load(m->arena, s, m->diags);
	if (!root)
		return NULL;
	if (root->type != NODE_MAP) {
		struct diag *g = diag_error(m->diags, "wrong-type", root->span,
					    "the included file is %s; it must be a mapping",
					    node_type_word(root));

		field_suggest_keys(x->c, g, manifest_top_table(m, &fragment_table), root);
		return NULL;
	}
	nodes = node_count(root);
	if (nodes > x->nodes) {
		diag_error(m->diags, "too-many-nodes", item->span,
			   "more than %d values in the manifest and what it includes",
			   NODE_MAX_NODES);
		return NULL;
	}
	x->nodes -= nodes;
	return root;
}

/* The file's text, once for each path; 0 when that was read already, by this path or another. */
static int read_once(struct including *x, const char *path, const struct node *item,
		     const struct manifest_file *where, const struct manifest_file **ret)
{
	_cleanup_err_ struct err e = {0};
	struct manifest *m = x->m;
	struct manifest_file *file;
	bool again = false;
	int r;

	if (list_has(&x->paths, path))
		return 0;
	if (x->paths.n + 1 >= FILES_MAX) {
		diag_error(m->diags, "too-many", item->span, "more than %d files", FILES_MAX);
		return -E2BIG;
	}
	for (size_t i = 0; i < x->paths.n; i++)
		again |= streq(manifest_file(m, x->paths.items[i])->real, where->real);
	r = manifest_read_file(m, path, x->bytes, &file, &e);
	if (r == -EFBIG) {
		diag_error(m->diags, "too-large", item->span,
			   "the manifest and what it includes are larger than %u MiB",
			   NODE_MAX_BYTES >> 20);
		return r;
	}
	if (r < 0) {
		struct diag *g = diag_error(m->diags, "unreadable-file", item->span,
					    "'include': %s", e.message);

		if (r == -EISDIR)
			diag_help(m->diags, g, "name its files, one by one");
		return r;
	}
	file->real = where->real;
	file->name = where->name;
	list_add(m->arena, &x->paths, (void *)file->path);
	x->bytes -= file->size;
	*ret = file;
	return !again;
}

static void include_all(struct including *x, const struct list *list, unsigned depth);

static void include_one(struct including *x, const char *path, const struct node *item,
			unsigned depth)
{
	struct manifest_file where = {0};
	const struct manifest_file *file = NULL;
	struct fragment f = {0};
	struct manifest *m = x->m;
	struct node *root;
	int r;

	r = resolve(x, path, item, &where);
	if (r == 0 && check_cycle(x, item, &where))
		return;
	if (r == 0 && depth > DEPTH_MAX) {
		diag_error(m->diags, "too-deep", item->span,
			   "files include each other more than %d deep", DEPTH_MAX);
		r = -ELOOP;
	}
	if (r == 0) {
		r = read_once(x, path, item, &where, &file);
		if (r == 0)
			return;
	}
	root = r > 0 && file ? load(x, file, item) : NULL;
	if (!root) {
		unread(x);
		return;
	}
	refuse_whole_only(x, root);
	if (!manifest_top(m, x->c, root, &fragment_table, "the included file", &f)) {
		unread(x);
		return;
	}
	list_add(m->arena, &m->roots, root);
	if (field_given(&fragment_table, &f, "include") &&
	    !field_is_set(&fragment_table, &f, "include"))
		unread(x);
	include_all(x, &f.include, depth + 1);
}

static void include_all(struct including *x, const struct list *list, unsigned depth)
{
	for (size_t i = 0; i < list->n; i++)
		include_one(x, list->items[i], list->nodes[i], depth);
}

void include_read(struct manifest *m, struct decode *c, const struct list *include, bool complete)
{
	struct including x = {
		.m = m,
		.c = c,
		.bytes = NODE_MAX_BYTES - MIN_OF(m->source.size, (size_t)NODE_MAX_BYTES),
		.nodes = NODE_MAX_NODES - MIN_OF(node_count(m->root), (size_t)NODE_MAX_NODES),
	};
	_cleanup_(freep) char *own = NULL;

	if (!complete)
		unread(&x);
	if (include->n == 0)
		return;
	own = m->closed ? NULL : realpath(m->source.name, NULL);
	m->source.path = arena_strdup(m->arena, own);
	include_all(&x, include, 1);
}

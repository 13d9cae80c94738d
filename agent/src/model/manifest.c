/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Bytes → nodes → records → resources with their dependencies. What a kind alone knows is asked of
 * its row; nothing here names a kind.
 */
#include "model/manifest.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/file.h"
#include "base/str.h"
#include "model/hosts.h"
#include "model/include.h"
#include "model/kind.h"

#define SECTIONS_MAX  16
#define RESOURCES_MAX 5000 /* of one host */
#define NAMED_MAX     8    /* names that a help lists */

/* The record of the whole file. Sections are decoded entry by entry (a domain is merged with its
 * template first), so their maps are here for the schema only. */
struct top {
	struct record rec;
	int64_t version;
	const char *namespace;
	struct host host;
	struct install_wanted install;
	int64_t max_removals;
	struct list include;
	struct map hosts;
	struct map sections[SECTIONS_MAX];
};

int parse_namespace(struct decode *c, const struct field *f, const char *text, const char **ret,
		    struct err *e)
{
	size_t n = strlen(text);

	if (n == 0 || n > 253 || strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-") != n ||
	    strchr(".-", text[0]) || strchr(".-", text[n - 1]) || strstr(text, ".."))
		return err_set(e, -EINVAL,
			       "a namespace: a DNS name such as lab.example.org, lower case");
	*ret = text;
	return 0;
}

#define TOP_SCALARS                                                                                 \
	{.name = "manor", .type = FIELD_INT, .offset = FIELD_AT(top, version), .min = MANIFEST_VERSION, \
	 .max = MANIFEST_VERSION, .flags = FIELD_REQUIRED,                                                   \
	 .doc = "the format's version: 1; a file of another version is refused"},                   \
	{.name = "namespace", .type = FIELD_STRING, .offset = FIELD_AT(top, namespace),             \
	 .parse = parse_namespace, .flags = FIELD_REQUIRED | FIELD_IDENTITY,                        \
	 .doc = "seeds every UUID and MAC; written once, never changed"},                           \
	{.name = "host", .type = FIELD_SUB, .offset = FIELD_AT(top, host), .sub = &host_table,      \
	 .doc = "the host itself"},                                                                 \
	{.name = "install", .type = FIELD_SUB, .offset = FIELD_AT(top, install), .sub = &install_table, \
	 .doc = "what a system that runs in memory installs, and where to"},                        \
	{.name = "max_removals", .type = FIELD_INT, .offset = FIELD_AT(top, max_removals), .min = 0, \
	 .max = 100, .def = "50", .flags = FIELD_CONFIG,                                            \
	 .doc = "percent of what Manor has made here that one apply may remove; more is refused"},  \
	INCLUDE_FIELD(top),                                                                         \
	{.name = "hosts", .type = FIELD_MAP, .offset = FIELD_AT(top, hosts), .flags = FIELD_CONFIG, \
	 .doc = "the hosts that the manifest is for, if it is for several: each says which machine it is, and its own " \
		"words merge over the rest of the file"}

TABLE(top_scalars, top, "manifest", "A host, as it should be.", TOP_SCALARS);

static void add_sections(struct field *fields, size_t *n, const struct kind *const *kinds,
			 unsigned flags)
{
	for (size_t i = 0; i < SECTIONS_MAX && kinds[i]; i++) {
		if (!kinds[i]->section)
			continue;
		fields[(*n)++] = (struct field){
			.name = kinds[i]->section,
			.type = FIELD_MAP,
			.offset = offsetof(struct top, sections) + i * sizeof(struct map),
			.flags = flags,
			.sub = kinds[i]->table,
			.doc = kinds[i]->table->doc,
		};
	}
}

/* What is about the file and not about a host. */
static bool of_file(const struct field *f)
{
	return streq(f->name, "manor") || streq(f->name, "hosts");
}

const struct table *manifest_part_table(struct arena *a, const struct kind *const *kinds)
{
	size_t n = 0, most = host_part_table.n + top_scalars.n + SECTIONS_MAX;
	struct field *fields = arena_alloc(a, most * sizeof(*fields));
	struct table *t = arena_alloc(a, sizeof(*t));

	for (size_t i = 0; i < host_part_table.n; i++)
		fields[n++] = host_part_table.fields[i];
	for (size_t i = 0; i < top_scalars.n; i++) {
		struct field *f = &fields[n];

		if (of_file(&top_scalars.fields[i]))
			continue;
		/* It merges with what the rest says, and nobody need say it twice. */
		*f = top_scalars.fields[i];
		f->flags = (f->flags & ~(unsigned)FIELD_REQUIRED) | FIELD_PARTIAL;
		f->def = NULL;
		n++;
	}
	add_sections(fields, &n, kinds, FIELD_PARTIAL);
	*t = host_part_table;
	t->fields = fields;
	t->n = n;
	return t;
}

/* A file's whole top level: what it may say of itself, and the kinds' sections. */
static const struct table *with_sections(struct arena *a, const struct table *scalars,
					 const struct kind *const *kinds)
{
	struct field *fields = arena_alloc(a, (scalars->n + SECTIONS_MAX) * sizeof(*fields));
	struct table *t = arena_alloc(a, sizeof(*t));
	const struct field *hosts = field_find(scalars, "hosts");
	size_t n = 0;

	for (size_t i = 0; i < scalars->n; i++)
		if (&scalars->fields[i] != hosts)
			fields[n++] = scalars->fields[i];
	add_sections(fields, &n, kinds, 0);
	if (hosts) {
		fields[n] = *hosts;
		fields[n++].sub = manifest_part_table(a, kinds);
	}
	*t = *scalars;
	t->fields = fields;
	t->n = n;
	return t;
}

const struct table *manifest_table(struct arena *a, const struct kind *const *kinds)
{
	return with_sections(a, &top_scalars, kinds);
}

const struct table *manifest_top_table(const struct manifest *m, const struct table *scalars)
{
	return with_sections(m->arena, scalars, m->kinds);
}

struct manifest_file *manifest_file(const struct manifest *m, const char *path)
{
	for (size_t i = 0; i < m->files.n; i++) {
		struct manifest_file *file = m->files.items[i];

		if (streq(file->path, path))
			return file;
	}
	return NULL;
}

void manifest_look_at(struct manifest *m, const char *path)
{
	if (!list_has(&m->diags->looked_at, path))
		list_add(m->arena, &m->diags->looked_at, arena_strdup(m->arena, path));
}

int manifest_read_file(struct manifest *m, const char *path, size_t max, struct manifest_file **ret,
		       struct err *e)
{
	struct manifest_file *file = manifest_file(m, path);
	_cleanup_(freep) char *text = NULL;
	size_t n;
	int r;

	if (file && file->size > max)
		return err_set(e, -EFBIG, "%s is larger than %zu bytes", path, max);
	if (!file) {
		if (m->closed)
			return err_set(e, -ENOENT, "%s did not come with the manifest", path);
		manifest_look_at(m, path);
		r = file_read_plain(path, max, &text, &n, e);
		if (r < 0)
			return r;
		file = arena_alloc(m->arena, sizeof(*file));
		file->path = arena_strdup(m->arena, path);
		file->text = arena_strndup(m->arena, text, n);
		file->size = n;
		list_add(m->arena, &m->files, file);
	}
	*ret = file;
	return 0;
}

/* What a manifest's `{file: …}` says. */
int manifest_read_named(struct decode *c, const char *path, const char **ret, struct err *e)
{
	struct manifest_file *file;
	int r = manifest_read_file(c->data, path, NAMED_FILE_MAX, &file, e);

	if (r == 0)
		*ret = file->text;
	return r;
}

const char *resource_title(struct arena *a, const struct resource *r)
{
	return arena_printf(a, "%s '%.80s'", r->kind->name, r->name);
}

struct resource *manifest_find(const struct manifest *m, const char *kind, const char *name)
{
	return index_find(&m->index, kind, name);
}

void manifest_add(struct manifest *m, struct resource *r)
{
	m->resources = arena_grow(m->arena, m->resources, m->n_resources, sizeof(*m->resources));
	m->resources[m->n_resources++] = r;
	index_add(m->arena, &m->index, r->kind->name, r->name, r);
}

static struct resource *add(struct manifest *m, const struct kind *k, const char *name,
			    const struct node *key)
{
	struct resource *r = arena_alloc(m->arena, sizeof(*r));

	r->kind = k;
	r->name = name;
	r->key = key;
	if (key)
		r->span = key->span;
	r->record = arena_alloc(m->arena, k->table->size);
	if (m->namespace)
		ident_uuid(m->namespace, k->name, name, r->uuid);
	manifest_add(m, r);
	return r;
}

struct resource *manifest_imply(struct manifest *m, struct resource *owner, const char *kind,
				const char *name, const struct node *where)
{
	struct resource *r = manifest_find(m, kind, name);
	const struct kind *k = NULL;

	for (size_t i = 0; m->kinds[i]; i++)
		if (streq(m->kinds[i]->name, kind))
			k = m->kinds[i];
	if (r) {
		struct diag *g;

		if ((owner && owner->misnamed) || r->misnamed)
			return NULL; /* with right names they need not meet */
		g = diag_error(m->diags, "name-taken", where ? where->span : owner->span,
			       "%s needs the name %s '%s', which is taken",
			       resource_title(m->arena, owner), kind, name);
		diag_also(m->diags, g, r->span, "taken here");
		return NULL;
	}
	if (!k)
		return NULL;
	r = add(m, k, arena_strdup(m->arena, name), where ? where : owner->key);
	r->owner = owner;
	r->misnamed = (owner && owner->misnamed) ||
		      (where && where->key && !field_name_ok(where->key->text));
	return r;
}

void resource_needs(struct manifest *m, struct resource *r, struct resource *other)
{
	if (r == other)
		return;
	for (size_t i = 0; i < r->n_needs; i++)
		if (r->needs[i] == other)
			return;
	r->needs = arena_grow(m->arena, r->needs, r->n_needs, sizeof(*r->needs));
	r->needs[r->n_needs++] = other;
}

/* Whether all that a kind's sections declare is known: not where one is no mapping, or too long. */
static bool section_read(const struct manifest *m, const char *kind)
{
	if (m->partly)
		return false;
	for (size_t i = 0; m->kinds[i] && m->kinds[i] != m->cut; i++) {
		if (!streq(m->kinds[i]->name, kind))
			continue;
		for (size_t k = 0; k < m->roots.n; k++) {
			const char *word = m->kinds[i]->section;
			const struct node *section =
				word ? node_get(m->roots.items[k], word) : NULL;

			if (section && !node_is_null(section) && section->type != NODE_MAP)
				return false;
		}
		return true;
	}
	return !m->cut;
}

static const char *names_text(struct arena *a, const char *const *names, size_t n)
{
	const char *text = names[0];

	for (size_t i = 1; i < n; i++)
		text = arena_printf(a, "%s, %s", text, names[i]);
	return text;
}

/* One reference: found, or said where it stands, with the name that was meant. */
static void refer(struct manifest *m, struct resource *r, const struct field *f, const char *word,
		  struct span span)
{
	struct resource *other = manifest_find(m, f->ref, word);
	_cleanup_(freep) const char **names = NULL;
	const char *meant;
	struct diag *g;
	size_t n = 0;

	if (other == r) {
		diag_error(m->diags, "cycle", span, "%s depends on itself",
			   resource_title(m->arena, r));
		return;
	}
	if (other) {
		resource_needs(m, r, other);
		return;
	}
	names = xcalloc(m->n_resources, sizeof(*names));
	for (size_t i = 0; i < m->n_resources; i++)
		if (streq(m->resources[i]->kind->name, f->ref) && !m->resources[i]->owner)
			names[n++] = m->resources[i]->name;
	if (!section_read(m, f->ref))
		return;
	meant = diag_nearest(word, names, n, NULL);
	other = meant ? manifest_find(m, f->ref, meant) : NULL;
	if (other && other->misnamed)
		return; /* the reference is right, the name isn't, and that was said */
	g = diag_error(m->diags, "unknown-reference", span, "%s uses unknown %s '%s'",
		       resource_title(m->arena, r), f->ref, word);
	if (other) {
		diag_label(m->diags, g, "did you mean '%s'?", meant);
		diag_also(m->diags, g, other->span, "declared here");
	}
	if (n == 0)
		diag_help(m->diags, g, "the manifest declares no %s", f->ref);
	else if (!other && n <= NAMED_MAX)
		diag_help(m->diags, g, "declared: %s", names_text(m->arena, names, n));
}

static void refer_all(struct manifest *m, struct resource *r, const struct table *t,
		      const void *record)
{
	const struct record *rec = record;

	for (size_t i = 0; i < t->n; i++) {
		const struct field *f = &t->fields[i];
		void *p = field_ptr(f, record);

		/* A part to be merged elsewhere is checked where it is merged. Of a list with a bad item
		 * the others count. */
		if ((!(rec->set & (1ull << i)) && f->type != FIELD_LIST) ||
		    (f->flags & FIELD_PARTIAL))
			continue;
		if (f->type == FIELD_SUB) {
			refer_all(m, r, f->sub, p);
		} else if (f->type == FIELD_MAP) {
			for (size_t j = 0; j < ((struct map *)p)->n; j++)
				refer_all(m, r, f->sub, ((struct map *)p)->entries[j].value);
		} else if (f->type == FIELD_LIST) {
			struct list *l = p;

			for (size_t j = 0; j < l->n; j++) {
				if (f->sub)
					refer_all(m, r, f->sub, l->items[j]);
				else if (f->ref)
					refer(m, r, f, l->items[j],
					      field_item_span(record, f->name, l, j));
			}
		} else if (f->ref && *(const char **)p) {
			refer(m, r, f, *(const char **)p,
			      rec->node ? field_span(record, f->name) : r->span);
		}
	}
}

/* What one file says of a kind. */
static void load_section(struct manifest *m, struct decode *c, const struct kind *k,
			 const struct node *root)
{
	struct node *section = node_get(root, k->section);

	if (!section || node_is_null(section))
		return;
	if (section->type != NODE_MAP) {
		struct diag *g = diag_error(m->diags, "wrong-type", section->span,
					    "'%s' is %s; it must be a mapping from names to %ss",
					    k->section, node_type_word(section), k->name);

		if (section->type == NODE_SEQ)
			field_suggest_names(c, g, k->section, k->table);
		return;
	}
	for (size_t i = 0; i < section->n; i++) {
		struct node *key = section->pairs[i].key, *value = section->pairs[i].value;
		struct resource *r = manifest_find(m, k->name, key->text);
		const char *title;

		if (r) {
			struct diag *g =
				diag_error(m->diags, "duplicate-resource", key->span,
					   "%s is declared twice", resource_title(m->arena, r));

			diag_also(m->diags, g, r->span, "first here");
			continue;
		}
		if (m->n_resources >= RESOURCES_MAX) {
			diag_error(m->diags, "too-many", key->span, "more than %d resources",
				   RESOURCES_MAX);
			if (!m->cut)
				m->cut = k;
			return;
		}
		r = add(m, k, key->text, key);
		title = resource_title(m->arena, r);
		r->misnamed = !field_name(c, key);
		c->incomplete = false;
		if (k->before) {
			field_keys(c, k->table, value, title);
			value = k->before(m, key->text, value, &c->incomplete);
		}
		field_decode(c, k->table, value, title, r->record);
		c->incomplete = false;
		/* Nothing at all could be read. */
		r->prepared = !((struct record *)r->record)->node;
	}
}

static void load_sections(struct manifest *m, struct decode *c)
{
	for (size_t i = 0; m->kinds[i]; i++)
		for (size_t k = 0; m->kinds[i]->section && k < m->roots.n; k++)
			load_section(m, c, m->kinds[i], m->roots.items[k]);
	for (size_t i = 0; i < m->n_resources; i++)
		refer_all(m, m->resources[i], m->resources[i]->kind->table,
			  m->resources[i]->record);
	/* Kind by kind; what one implies of an earlier kind comes in the next round. */
	for (bool again = true; again;) {
		again = false;
		for (size_t k = 0; m->kinds[k]; k++) {
			for (size_t i = 0; i < m->n_resources; i++) {
				struct resource *r = m->resources[i];

				if (r->kind != m->kinds[k] || r->prepared)
					continue;
				r->prepared = true;
				again = true;
				if (r->kind->prepare)
					r->kind->prepare(m, r);
				if (r->owner)
					refer_all(m, r, r->kind->table, r->record);
			}
		}
	}
	for (size_t k = 0; m->kinds[k]; k++)
		if (m->kinds[k]->check)
			m->kinds[k]->check(m);
}

size_t *manifest_count(struct arena *a, const struct manifest *m)
{
	size_t kinds = 0, *counts;

	while (m->kinds[kinds])
		kinds++;
	counts = arena_alloc(a, (kinds + 1) * sizeof(*counts));
	for (size_t i = 0; i < m->n_resources; i++)
		for (size_t k = 0; k < kinds; k++)
			counts[k] +=
				m->resources[i]->kind == m->kinds[k] && !m->resources[i]->owner;
	return counts;
}

enum { UNSEEN, OPEN, DONE };

/* NULL, or what was said of a cycle that leads through here. */
static struct diag *visit(struct manifest *m, struct resource *r, struct resource **out, size_t *n)
{
	if (r->mark == DONE)
		return NULL;
	if (r->mark == OPEN)
		return diag_error(m->diags, "cycle", r->span, "%s depends on itself",
				  resource_title(m->arena, r));
	r->mark = OPEN;
	for (size_t i = 0; i < r->n_needs; i++) {
		struct diag *g = visit(m, r->needs[i], out, n);

		if (!g)
			continue;
		/* The way back to the first is told place by place. */
		if (!span_one_line(&g->span, &r->span))
			diag_also(m->diags, g, r->span, "through %s", resource_title(m->arena, r));
		r->mark = DONE;
		return g;
	}
	r->mark = DONE;
	out[(*n)++] = r;
	return NULL;
}

static void sort(struct manifest *m)
{
	struct resource **out = arena_alloc(m->arena, (m->n_resources + 1) * sizeof(*out));
	size_t n = 0;

	for (size_t i = 0; i < m->n_resources; i++)
		visit(m, m->resources[i], out, &n);
	if (m->diags->n_errors == 0)
		m->resources = out;
}

bool manifest_top(struct manifest *m, struct decode *c, struct node *root,
		  const struct table *scalars, const char *what, void *record)
{
	const struct table *all = manifest_top_table(m, scalars);
	struct node *own = arena_alloc(m->arena, sizeof(*own));
	struct node *version = node_get(root, "manor");

	if (version && version->type == NODE_SCALAR && version->plain && !node_is_null(version) &&
	    !streq(version->text, "1")) {
		struct diag *g =
			diag_error(m->diags, "unknown-version", version->span,
				   "format version '%.20s' is not known here", version->text);
		diag_help(m->diags, g, "this program reads version %d; a newer manor may be needed",
			  MANIFEST_VERSION);
		return false;
	}
	field_keys(c, all, root, what);
	*own = *root;
	own->pairs = arena_alloc(m->arena, (root->n + 1) * sizeof(*own->pairs));
	own->n = 0;
	for (size_t i = 0; i < root->n; i++) {
		const struct field *f = field_find(all, root->pairs[i].key->text);

		if (!f || f->type != FIELD_MAP)
			own->pairs[own->n++] = root->pairs[i];
	}
	field_decode(c, scalars, own, what, record);
	return true;
}

/* False: of another version, so that nothing else in it can be judged. */
static bool load_top(struct manifest *m, struct decode *c)
{
	struct top top = {0};

	if (!manifest_top(m, c, m->root, &top_scalars, "the manifest", &top))
		return false;
	m->version = top.version;
	m->namespace = top.namespace;
	m->host = top.host;
	m->install = top.install;
	m->max_removals = top.max_removals;
	m->max_removals_given = node_get(m->root, "max_removals") != NULL;
	list_add(m->arena, &m->roots, m->root);
	include_read(m, c, &top.include,
		     !field_given(&top_scalars, &top, "include") ||
			     field_is_set(&top_scalars, &top, "include"));
	return true;
}

/* Two that have it in common mean the same, wherever they lie. */
static void digest_all(struct manifest *m)
{
	_cleanup_str_ struct str all = {0};

	str_addf(&all, "%s\n%s\n", m->dir, m->sha256);
	for (size_t i = 0; i < m->files.n; i++) {
		const struct manifest_file *f = m->files.items[i];
		char one[SHA256_TEXT];

		sha256_of(f->text, f->size, one);
		str_addf(&all, "%s %s\n", one, f->path);
		if (f->real && !streq(f->real, f->path))
			str_addf(&all, "%s\n", f->real);
	}
	sha256_of(str_get(&all), all.n, m->digest);
}

static void keep_files(struct manifest *m, const struct list *files)
{
	m->closed = files != NULL;
	for (size_t i = 0; files && i < files->n; i++) {
		const struct manifest_file *from = files->items[i];
		struct manifest_file *file = arena_alloc(m->arena, sizeof(*file));

		file->path = arena_strdup(m->arena, from->path);
		file->text = arena_strndup(m->arena, from->text, from->size);
		file->size = from->size;
		file->real = arena_strdup(m->arena, from->real);
		file->name = arena_strdup(m->arena, from->name);
		list_add(m->arena, &m->files, file);
	}
}

/* False, having said so: it is no mapping. */
static bool is_mapping(struct manifest *m, struct decode *c)
{
	struct diag *g;

	if (m->root->type == NODE_MAP)
		return true;
	g = diag_error(m->diags, "wrong-type", m->root->span,
		       "the manifest is %s; it must be a mapping that begins with 'manor: 1'",
		       node_type_word(m->root));
	if (m->root->type == NODE_SCALAR && m->root->span.line != m->root->span.end_line)
		diag_help(m->diags, g, "a key ends with ': '");
	else
		field_suggest_keys(c, g, manifest_table(m->arena, m->kinds), m->root);
	return false;
}

bool manifest_read(struct manifest *m, struct decode *c)
{
	if (!load_top(m, c))
		return false;
	/* Refused already; the rest is read for its errors, and derives names from this. */
	if (!m->namespace)
		m->namespace = "invalid";
	load_sections(m, c);
	sort(m);
	digest_all(m);
	return m->diags->n_errors == 0;
}

struct manifest *manifest_load_text(const char *name, const char *dir, const char *text, size_t n,
				    const struct list *files, const struct who *who,
				    const struct kind *const *kinds, struct diags *d)
{
	struct manifest *m = arena_alloc(d->arena, sizeof(*m));
	struct decode c = {
		.arena = d->arena, .diags = d, .read = manifest_read_named, .data = m};

	m->arena = d->arena;
	m->diags = d;
	m->kinds = kinds;
	m->dir = arena_strdup(m->arena, dir);
	m->source = (struct source){
		.name = arena_strdup(m->arena, name),
		.text = arena_strndup(m->arena, text, n),
		.size = n,
		.dir = m->dir,
	};
	keep_files(m, files);
	sha256_of(text, n, m->sha256);
	m->root = node_load(m->arena, &m->source, d);
	if (!m->root || !is_mapping(m, &c))
		return NULL;
	if (node_key(m->root, "hosts"))
		return hosts_load(m, &c, who) ? m : NULL;
	if (who && who->host) {
		select_none(&c, m->root, who);
		return NULL;
	}
	return manifest_read(m, &c) ? m : NULL;
}

void manifest_free(struct manifest *m)
{
	if (m)
		diags_free(m->diags);
}

void manifest_freep(struct manifest **m)
{
	manifest_free(*m);
	*m = NULL;
}

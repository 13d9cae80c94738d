/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each host of a manifest for many is read as a whole manifest of its own, with diagnostics of its own. What is wrong with
 * all of them is wrong with what they share, and said once; else it is said whose it is.
 */
#include "model/hosts.h"

#include "base/index.h"
#include "base/str.h"
#include "model/kind.h"

#define NAMED_MAX 3 /* hosts that one message lists */

/* One diagnostic, and the hosts that have it. */
struct finding {
	const struct diag *diag;
	const char *names[NAMED_MAX];
	size_t n;
};

/* Who on the network has an address. */
struct owner {
	const char *host;
	struct span span; /* in the manifest itself; else without a source */
};

struct checking {
	struct manifest *m;
	struct finding *findings;
	size_t n, n_parts;
	struct index abroad; /* of struct owner, by what one alone may have */
	size_t unkept; /* more errors of one host than were kept */
};

static bool same_text(const struct source *a, const struct source *b)
{
	return a == b || (a && b && streq(a->name, b->name) && streq(a->path, b->path));
}

static bool same_place(const struct span *a, const struct span *b)
{
	return same_text(a->source, b->source) && a->line == b->line && a->column == b->column &&
	       a->end_line == b->end_line && a->end_column == b->end_column;
}

static void find(struct checking *x, const struct host_part *part, const struct diag *g)
{
	struct finding *f = NULL;

	for (size_t i = 0; i < x->n && !f; i++) {
		const struct diag *other = x->findings[i].diag;

		if (other->severity == g->severity && streq(other->code, g->code) &&
		    same_place(&other->span, &g->span) && streq(other->message, g->message))
			f = &x->findings[i];
	}
	if (!f) {
		x->findings = arena_grow(x->m->arena, x->findings, x->n, sizeof(*x->findings));
		f = &x->findings[x->n++];
		*f = (struct finding){.diag = g};
	}
	if (f->n < NAMED_MAX)
		f->names[f->n] = part->name;
	f->n++;
}

static const char *whose(struct arena *a, const struct finding *f)
{
	_cleanup_str_ struct str s = {0};
	size_t named = f->n > NAMED_MAX ? NAMED_MAX - 1 : f->n;

	str_add(&s, f->n == 1 ? "host " : "hosts ");
	for (size_t i = 0; i < named; i++)
		str_addf(&s, "%s'%.80s'",
			 i == 0          ? ""
			 : i + 1 == f->n ? " and "
					 : ", ",
			 f->names[i]);
	if (named < f->n)
		str_addf(&s, " and %zu more", f->n - named);
	return arena_strdup(a, str_get(&s));
}

static void say(struct checking *x, const struct finding *f)
{
	const struct diag *from = f->diag;
	struct diags *d = x->m->diags;
	struct diag *g;

	if (f->n == x->n_parts)
		g = diag_add(d, from->severity, from->code, from->span, "%s", from->message);
	else
		g = diag_add(d, from->severity, from->code, from->span, "%s: %s",
			     whose(d->arena, f), from->message);
	g->label = from->label;
	g->help = from->help;
	memcpy(g->also, from->also, sizeof(g->also));
	g->n_also = from->n_also;
}

/* Each is sound alone; on one network two of its resources would be one. True where that was said. */
static bool check_abroad(struct checking *x, const struct resource *r, const char *host)
{
	struct manifest *m = x->m;
	struct list has = {0};
	bool said = false;

	if (r->kind->abroad)
		r->kind->abroad(m->arena, r->record, &has);
	for (size_t i = 0; i < has.n; i++) {
		const struct owner *other = index_find(&x->abroad, NULL, has.items[i]);
		const char *what = arena_strdup(m->arena, has.items[i]);
		struct owner *owner = arena_alloc(m->arena, sizeof(*owner));
		struct diag *g;

		/* An included file's text goes when its host is done. */
		*owner = (struct owner){host, {0}};
		if (r->span.source == &m->source)
			owner->span = r->span;
		if (!other) {
			index_add(m->arena, &x->abroad, NULL, what, owner);
			continue;
		}
		/* Of what all have in common once is enough. */
		if (diags_has(m->diags, "same-address", r->span))
			continue;
		g = diag_warn(m->diags, "same-address", r->span,
			      "%s of host '%s' has the MAC address %s, and so has one of host '%s'",
			      resource_title(m->arena, r), host, what, other->host);
		if (other->span.source && !span_one_line(&other->span, &r->span))
			diag_also(m->diags, g, other->span, "that one");
		diag_help(m->diags, g,
			  "right for a guest that moves from one to the other; where both run, one "
			  "of the hosts needs a `namespace` of its own");
		said = true;
	}
	return said;
}

/* Reading changes the tree (a key that is misspelt), so each has its own. */
static void check_one(struct checking *x, const struct host_part *part)
{
	struct diags *own = diags_new();
	struct manifest *m = x->m, *one = arena_alloc(own->arena, sizeof(*one));
	struct decode c = {
		.arena = own->arena, .diags = own, .read = manifest_read_named, .data = one};
	struct manifest_host *host = arena_alloc(m->arena, sizeof(*host));
	struct host_part copy = *part;
	bool keep = false;

	one->arena = own->arena;
	one->diags = own;
	one->kinds = m->kinds;
	one->dir = m->dir;
	one->source = m->source;
	one->closed = m->closed;
	one->files = m->files;
	copy.says = node_copy(own->arena, part->says);
	one->root = node_copy(own->arena, node_without(own->arena, m->root, "hosts"));
	one->root = select_merge(own->arena, one->root, &copy);
	if (manifest_read(one, &c))
		for (size_t i = 0; i < one->n_resources; i++)
			keep |= check_abroad(x, one->resources[i], part->name);
	host->name = part->name;
	host->match = &part->match;
	host->counts = manifest_count(m->arena, one);
	list_add(m->arena, &m->hosts, host);
	for (size_t i = 0; i < own->looked_at.n; i++)
		manifest_look_at(m, own->looked_at.items[i]);
	for (size_t i = 0; i < own->n; i++)
		find(x, part, &own->list[i]);
	x->unkept = MAX_OF(x->unkept, own->n_errors - MIN_OF(own->n_errors, own->n));
	/* What was found points into it. */
	if (own->n || keep)
		diags_keep(m->diags, own);
	else
		diags_free(own);
}

static void check_each(struct manifest *m, const struct list *parts)
{
	struct checking x = {.m = m, .n_parts = parts->n};
	_cleanup_(freep) char *own = m->closed ? NULL : realpath(m->source.name, NULL);

	/* One that includes itself is known by it. */
	m->source.path = arena_strdup(m->arena, own);
	for (size_t i = 0; i < parts->n; i++)
		check_one(&x, parts->items[i]);
	for (size_t i = 0; i < x.n; i++)
		say(&x, &x.findings[i]);
	m->diags->n_errors += x.unkept;
}

bool hosts_load(struct manifest *m, struct decode *c, const struct who *who)
{
	const struct host_part *part;
	struct list parts = {0};

	select_read(c, node_get(m->root, "hosts"), manifest_part_table(m->arena, m->kinds), &parts);
	if (!who) {
		check_each(m, &parts);
		return m->diags->n_errors == 0;
	}
	/* Which one it is must be beyond doubt. */
	if (m->diags->n_errors > 0 && !who->host)
		return false;
	part = select_part(c, m->root, &parts, who);
	if (!part)
		return false;
	m->root = select_merge(m->arena, m->root, part);
	m->chosen = who->host ? part->name : NULL;
	return manifest_read(m, c);
}

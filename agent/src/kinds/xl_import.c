/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The manifest around the domains: namespace, bridges, names.
 */
#include "kinds/xl_import.h"

#include <ctype.h>

#include "kinds/domain_xl.h"

#define NAME_MAX_BYTES 63

struct named {
	const char *name;
	struct span span;
};

/* "/etc/xen/web.cfg" → "web", as xm called a domain without a name */
static const char *file_name(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t n = strlen(base);

	return arena_strndup(a, base, n > 4 && streq(base + n - 4, ".cfg") ? n - 4 : n);
}

/* The name, and where it stands; false: another file has it. */
static bool name_of(struct domain_xl *x, const char *file, struct named *names, size_t n,
		    const char **ret_said)
{
	const struct xl_setting *s = NULL;
	const char *said = domain_xl_text(x, "name", &s);
	struct span span = {x->cfg.source, 1, 1, 1, 2};

	*ret_said = said;
	x->name = domain_xl_name(x->arena, said ? said : file_name(x->arena, file), NAME_MAX_BYTES);
	if (s)
		span = s->span;
	for (size_t i = 0; i < n; i++) {
		struct diag *g;

		if (!streq(names[i].name, x->name))
			continue;
		g = diag_error(x->all->diags, "duplicate-name", span,
			       "this domain is called '%s', and another configuration's too",
			       x->name);
		diag_also(x->all->diags, g, names[i].span, "first here");
		diag_help(x->all->diags, g, "leave out the one that doesn't count");
		return false;
	}
	names[n] = (struct named){x->name, span};
	return true;
}

static bool any_taken(const struct xl_cfg *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].taken)
			return true;
	return false;
}

static void one(struct xl_shared *all, struct emit *domains, const struct xl_import_file *f,
		struct named *names, size_t *n)
{
	struct domain_xl x = {.all = all, .arena = all->arena, .out = emit_new(all->arena)};
	const char *said;

	if (xl_cfg_read(f->name, f->text, f->n, all->diags, &x.cfg) < 0 ||
	    !name_of(&x, f->name, names, *n, &said))
		return;
	(*n)++;
	domain_xl(&x);
	if (!any_taken(&x.cfg)) {
		struct diag *g = diag_error(
			all->diags, "not-a-configuration", x.cfg.list[0].span,
			"this is no configuration of xm or xl: it has no setting that they know");
		diag_help(
			all->diags, g,
			"those are like /etc/xen/web.cfg: memory = 512, disk = ['phy:vg0/web,xvda,w'], …");
		return;
	}
	emit_put(domains, x.name, x.out, true);
	emit_note(domains, x.name, "%s", f->name);
	if (!said)
		emit_note(domains, x.name, "its name is the file's: it has none itself");
	else if (!streq(said, x.name))
		emit_note(domains, x.name,
			  "'%.100s' there: names have lower-case letters, digits and '-' here",
			  said);
}

void xl_import_head(struct arena *a, struct emit *m, const char *namespace, const char *host)
{
	struct decode c = {.arena = a};
	char *own = arena_strdup(a, host);
	const char *ok;

	for (char *p = own; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	emit_word(m, "manor", "1");
	if (namespace) {
		emit_text(m, "namespace", namespace);
		return;
	}
	emit_text(m, "namespace",
		  parse_namespace(&c, NULL, own, &ok, NULL) == 0 ? ok : "example.org");
	emit_note(m, "namespace",
		  "seeds every UUID and MAC address: choose it now, for another makes all that is "
		  "there foreign");
}

const char *xl_import(const struct xl_import_file *files, size_t n, const char *namespace,
		      const char *host, struct diags *d)
{
	struct xl_shared all = {.arena = d->arena, .diags = d};
	struct named *names = arena_alloc(d->arena, (n + 1) * sizeof(*names));
	struct emit *m = emit_new(d->arena), *domains;
	_cleanup_str_ struct str out = {0};
	size_t count = 0, errors = d->n_errors;

	xl_import_head(d->arena, m, namespace, host);
	all.bridges = emit_tall(m, "bridges");
	domains = emit_tall(m, "domains");
	for (size_t i = 0; i < n; i++)
		one(&all, domains, &files[i], names, &count);
	if (d->n_errors > errors)
		return NULL;
	if (all.bridge_is.n)
		emit_note(m, "bridges",
			  "made by Manor: say which links are their 'ports', and which 'addresses' "
			  "the host has on them");
	str_add(&out,
		"# From configurations of xm and xl, by 'manor import'. What was changed, and what has no "
		"counterpart,\n# is said in comments: read them, then run 'manor check' and 'manor "
		"plan'.\n");
	emit_print(m, &out);
	return arena_strdup(d->arena, str_get(&out));
}

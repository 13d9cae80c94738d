/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Keys that a table lacks, and names that are none. One misspelt word must neither hide what is wrong
 * under it nor make what it names look missing.
 */
#include <ctype.h>

#include "base/str.h"
#include "conf/field.h"

#define SHOWN_MAX      60 /* bytes of a text that a suggestion repeats */
#define NO_BREAK_SPACE "\xc2\xa0"

/* Whether the value could be that field's. */
static bool fits(const struct field *f, const struct node *value)
{
	switch (f->type) {
	case FIELD_LIST:
		return value->type == NODE_SEQ;
	case FIELD_SUB:
	case FIELD_MAP:
		return value->type == NODE_MAP;
	default:
		return value->type == NODE_SCALAR ||
		       ((f->flags & FIELD_FROM_FILE) && value->type == NODE_MAP);
	}
}

/* Near enough to go by it: one letter off, or cut short. A word that differs more may be another. */
static bool surely(const char *said, const char *meant, unsigned distance)
{
	return distance == 1 || (strlen(said) >= 3 && strstr(meant, said)) ||
	       (strlen(meant) >= 3 && strstr(said, meant));
}

static void respell(struct arena *a, struct node_pair *p, const char *right)
{
	struct node *key = arena_alloc(a, sizeof(*key));

	*key = *p->key;
	key->text = right;
	p->key = key;
	if (p->value)
		p->value->key = key;
}

/* The keys that may be written, at most 64. */
static size_t words_of(const struct table *t, const char **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		if (field_in_manifest(&t->fields[i]) && !(t->fields[i].flags & FIELD_LATER))
			ret[n++] = t->fields[i].name;
	return n;
}

static void help_keys(struct decode *c, struct diag *g, const char *const *words, size_t n)
{
	_cleanup_str_ struct str b = {};

	for (size_t i = 0; i < n; i++)
		str_addf(&b, "%s%s", i ? ", " : "", words[i]);
	diag_help(c->diags, g, "what may stand here: %s", str_get(&b));
}

const char *other_word(const struct other_word *others, const char *word)
{
	for (const struct other_word *o = others; o && o->word; o++)
		if (streq(o->word, word))
			return o->here;
	return NULL;
}

void other_label(struct decode *c, struct diag *g, const char *here)
{
	diag_label(c->diags, g, strchr(here, ' ') ? "here that is %s" : "here that is '%s'", here);
}

const char *field_colon(struct arena *a, const struct table *t, const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	const char *rest = text + n + strspn(text + n, " :=" NO_BREAK_SPACE);
	const struct field *f;

	if (rest == text + n || *rest == '\0' || strlen(rest) > SHOWN_MAX)
		return NULL;
	f = field_find(t, arena_strndup(a, text, n));
	if (!f || !field_in_manifest(f))
		return NULL;
	return arena_printf(a, "%s: %s", f->name, rest);
}

void field_suggest_keys(struct decode *c, struct diag *g, const struct table *t,
			const struct node *node)
{
	const char *words[64], *colon = NULL;

	if (node->type == NODE_SCALAR && node->plain && node->span.line == node->span.end_line)
		colon = field_colon(c->arena, t, node->text);
	if (colon)
		diag_label(c->diags, g, "did you mean '%s'?", colon);
	else
		help_keys(c, g, words, words_of(t, words));
}

void field_suggest_names(struct decode *c, struct diag *g, const char *key, const struct table *t)
{
	const struct field *f = t->fields;

	for (size_t i = t->n; i-- > 0;)
		if (t->fields[i].flags & FIELD_REQUIRED)
			f = &t->fields[i];
	diag_help(c->diags, g, "each has a name of its own: '%s: {NAME: {%s: …}}'", key, f->name);
}

/* A part of the record that has such a key: it slipped out of it, or nobody knew that it goes there. */
static const struct field *sub_with(const struct table *t, const char *key)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct field *f = &t->fields[i], *of;

		if (f->type != FIELD_SUB || !field_in_manifest(f))
			continue;
		of = field_find(f->sub, key);
		if (of && field_in_manifest(of))
			return f;
	}
	return NULL;
}

uint64_t field_keys(struct decode *c, const struct table *t, const struct node *node,
		    const char *what)
{
	const char *words[64];
	uint64_t meant = 0;
	bool told = false;
	size_t n;

	if (node->type != NODE_MAP)
		return 0;
	n = words_of(t, words);
	for (size_t i = 0; i < node->n; i++) {
		const struct node *key = node->pairs[i].key;
		const struct field *f = field_find(t, key->text);
		const struct field *within;
		const char *word, *colon, *other;
		unsigned distance = 0;
		struct diag *g;

		if ((f && field_in_manifest(f)) || !*key->text)
			continue; /* an empty one was refused already */
		within = sub_with(t, key->text);
		other = other_word(t->others, key->text);
		colon = field_colon(c->arena, t, key->text);
		word = colon ? arena_strndup(c->arena, colon, strcspn(colon, ":"))
			     : diag_nearest(key->text, words, n, &distance);
		if (!diags_has(c->diags, "unknown-key", key->span)) {
			g = diag_error(c->diags, "unknown-key", key->span,
				       "unknown key '%.80s' in %s", key->text, what);
			if (other)
				other_label(c, g, other);
			else if (within && (!word || distance > 1))
				diag_label(c->diags, g, "it belongs under '%s'", within->name);
			else if (word)
				diag_label(c->diags, g, "did you mean '%s'?", colon ? colon : word);
			else if (!told)
				help_keys(c, g, words, n), told = true;
			if (strstr(key->text, NO_BREAK_SPACE))
				diag_help(c->diags, g,
					  "it holds a no-break space (U+00A0): write a plain one");
		}
		if (other) {
			f = field_find(t, arena_strndup(c->arena, other, strcspn(other, ".: ")));
			meant |= f ? 1ull << (f - t->fields) : 0;
			continue;
		}
		if (within)
			meant |= 1ull << (within - t->fields);
		if (!word || node_key(node, word))
			continue;
		f = field_find(t, word);
		meant |= 1ull << (f - t->fields);
		if (!colon && (!within || distance == 1) && surely(key->text, word, distance) &&
		    fits(f, node->pairs[i].value))
			respell(c->arena, &node->pairs[i], word);
	}
	return meant;
}

void field_suggest_name(struct decode *c, struct diag *g, const char *text)
{
	char *name = arena_strdup(c->arena, text);

	for (char *s = name; *s; s++)
		*s = strchr("_. /", *s) ? '-' : (char)tolower((unsigned char)*s);
	if (field_name_ok(name))
		diag_label(c->diags, g, "did you mean '%s'?", name);
}

bool field_name(struct decode *c, const struct node *key)
{
	struct diag *g;

	if (field_name_ok(key->text))
		return true;
	if (!*key->text && diags_has(c->diags, "empty-key", key->span))
		return false;
	if (diags_has(c->diags, "bad-name", key->span))
		return false;
	g = diag_error(c->diags, "bad-name", key->span,
		       "'%.80s' is not a name: lower-case letters, digits and '-', at most 63, not "
		       "beginning with '-'",
		       key->text);
	field_suggest_name(c, g, key->text);
	return false;
}

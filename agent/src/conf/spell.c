/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Keys that a table lacks, and names that are none. One misspelt word must neither hide what is wrong
 * under it nor make what it names look missing.
 */
#include <ctype.h>

#include "base/str.h"
#include "conf/field.h"

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

static const char *list_text(struct arena *a, const char *const *words, size_t n)
{
	_cleanup_str_ struct str b = {};

	for (size_t i = 0; i < n; i++)
		str_addf(&b, "%s%s", i ? ", " : "", words[i]);
	return arena_strdup(a, str_get(&b));
}

uint64_t field_keys(struct decode *c, const struct table *t, const struct node *node,
		    const char *what)
{
	const char *words[64];
	uint64_t meant = 0;
	size_t n = 0;

	if (node->type != NODE_MAP)
		return 0;
	for (size_t i = 0; i < t->n; i++)
		if (field_in_manifest(&t->fields[i]) && !(t->fields[i].flags & FIELD_LATER))
			words[n++] = t->fields[i].name;
	for (size_t i = 0; i < node->n; i++) {
		const struct node *key = node->pairs[i].key;
		const struct field *f = field_find(t, key->text);
		unsigned distance = 0;
		const char *word;
		struct diag *g;

		if (f && field_in_manifest(f))
			continue;
		word = diag_nearest(key->text, words, n, &distance);
		if (!diags_has(c->diags, "unknown-key", key->span)) {
			g = diag_error(c->diags, "unknown-key", key->span,
				       "unknown key '%.80s' in %s", key->text, what);
			if (word)
				diag_label(c->diags, g, "did you mean '%s'?", word);
			else
				diag_help(c->diags, g, "what may stand here: %s",
					  list_text(c->arena, words, n));
		}
		if (!word || node_key(node, word))
			continue;
		f = field_find(t, word);
		meant |= 1ull << (f - t->fields);
		if (surely(key->text, word, distance) && fits(f, node->pairs[i].value))
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
	if (diags_has(c->diags, "bad-name", key->span))
		return false;
	g = diag_error(c->diags, "bad-name", key->span,
		       "'%.80s' is not a name: lower-case letters, digits and '-', at most 63, not "
		       "beginning with '-'",
		       key->text);
	field_suggest_name(c, g, key->text);
	return false;
}

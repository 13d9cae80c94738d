/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Small questions to field tables and to records.
 */
#include "conf/field.h"

const char *const impact_words[] = {
	"none", "live", "guest-restart", "guest-recreate", "host-reboot", "data-loss", NULL,
};

static size_t field_index(const struct table *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (streq(t->fields[i].name, name))
			break;
	return i;
}

const struct field *field_find(const struct table *t, const char *name)
{
	size_t i = field_index(t, name);

	return i < t->n ? &t->fields[i] : NULL;
}

const struct field *field_short(const struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->fields[i].flags & FIELD_SHORT)
			return &t->fields[i];
	return NULL;
}

bool field_is_set(const struct table *t, const void *record, const char *name)
{
	size_t i = field_index(t, name);

	return i < t->n && (((const struct record *)record)->set & (1ull << i));
}

bool field_given(const struct table *t, const void *record, const char *name)
{
	size_t i = field_index(t, name);

	return i < t->n && (((const struct record *)record)->given & (1ull << i));
}

bool field_strange(const struct table *t, const void *record)
{
	const struct node *node = ((const struct record *)record)->node;

	for (size_t i = 0; node && node->type == NODE_MAP && i < node->n; i++) {
		const struct field *f = field_find(t, node->pairs[i].key->text);

		if (!f || !field_in_manifest(f) || (f->flags & FIELD_LATER))
			return true;
	}
	return false;
}

void field_mark(const struct table *t, void *record, const char *name)
{
	size_t i = field_index(t, name);

	if (i < t->n)
		((struct record *)record)->set |= 1ull << i;
}

struct span field_span(const void *record, const char *path)
{
	const struct node *node = ((const struct record *)record)->node, *at;

	at = node ? node_at(node, path, NULL) : NULL;
	/* A list on its key's line is shown itself, one below it by the key. */
	if (at && at->type == NODE_SEQ && at->key && at->span.line == at->key->span.line)
		return at->span;
	return node_span(at);
}

struct span field_item_span(const void *record, const char *name, const struct list *l, size_t i)
{
	return l->nodes && i < l->n ? l->nodes[i]->span : field_span(record, name);
}

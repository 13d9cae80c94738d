/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Lists and maps of records.
 */
#include "base/record.h"

void list_add(struct arena *a, struct list *l, void *item)
{
	l->items = arena_grow(a, l->items, l->n, sizeof(*l->items));
	l->items[l->n++] = item;
}

void list_add_at(struct arena *a, struct list *l, void *item, const struct node *node)
{
	l->nodes = arena_grow(a, l->nodes, l->n, sizeof(*l->nodes));
	l->nodes[l->n] = node;
	list_add(a, l, item);
}

bool list_has(const struct list *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->items[i], s))
			return true;
	return false;
}

void map_add(struct arena *a, struct map *m, const char *name, void *value)
{
	m->entries = arena_grow(a, m->entries, m->n, sizeof(*m->entries));
	m->entries[m->n++] = (struct entry){.name = name, .value = value};
}

void *map_get(const struct map *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++)
		if (streq(m->entries[i].name, name))
			return m->entries[i].value;
	return NULL;
}

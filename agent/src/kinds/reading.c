/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Presence bits for records that host code filled.
 */
#include "kinds/reading.h"

void mark_filled(const struct table *t, void *record)
{
	struct record *rec = record;

	for (size_t i = 0; i < t->n; i++) {
		const struct field *f = &t->fields[i];
		void *p = field_ptr(f, record);

		if (f->type == FIELD_STRING && !*(const char **)p)
			continue;
		rec->set |= UINT64_C(1) << i;
		if (f->type == FIELD_SUB) {
			mark_filled(f->sub, p);
		} else if (f->type == FIELD_LIST && f->sub) {
			struct list *l = p;

			for (size_t k = 0; k < l->n; k++)
				mark_filled(f->sub, l->items[k]);
		} else if (f->type == FIELD_MAP) {
			struct map *m = p;

			for (size_t k = 0; k < m->n; k++)
				mark_filled(f->sub, m->entries[k].value);
		}
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Tables through libsmartcols.
 */
#include "cli/table.h"

#include <libsmartcols.h>

struct libscols_table *table_new(const struct table_column *columns, size_t n, bool noheadings)
{
	struct libscols_table *t = scols_new_table();

	if (!t)
		abort();
	scols_table_enable_noheadings(t, noheadings);
	for (size_t i = 0; i < n; i++)
		scols_table_new_column(t, columns[i].name, 0,
				       columns[i].right ? SCOLS_FL_RIGHT : 0);
	return t;
}

void table_row(struct libscols_table *t, size_t n, const char *const *cells)
{
	struct libscols_line *l = scols_table_new_line(t, NULL);

	for (size_t i = 0; l && i < n; i++)
		scols_line_set_data(l, i, cells[i] ? cells[i] : "–");
}

void table_print(struct libscols_table *t)
{
	if (scols_table_get_nlines(t) > 0)
		scols_print_table(t);
	scols_unref_table(t);
}

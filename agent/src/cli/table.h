/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Tables through libsmartcols: columns fit, headings can be left out.
 */
#pragma once

#include "base/util.h"

struct libscols_table;

struct table_column {
	const char *name;
	bool right; /* numbers stand right */
};

/* The caller ends it with table_print(). */
struct libscols_table *table_new(const struct table_column *columns, size_t n, bool noheadings);
void table_row(struct libscols_table *t, size_t n, const char *const *cells);
/* Prints and frees; an empty table prints nothing. */
void table_print(struct libscols_table *t);

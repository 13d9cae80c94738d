/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the readings share. Host code fills plain structs and knows no tables: here are the rows that
 * describe those, and what marks as set what was filled.
 */
#pragma once

#include "model/facts.h"

/* A row of a table (conf/field.h) whose name is the member's. */
#define ROW(s, m, t, ...)                                                                          \
	{                                                                                          \
		.name = #m, .type = t, .offset = FIELD_AT(s, m), __VA_ARGS__                       \
	}

/* Marks every field of the record, and of those within it, but strings that are NULL. */
void mark_filled(const struct table *t, void *record);

/* reader_WORD, which has the host fill its record: `fill` is lvm_read() or the like. Behind the text further members, if any. */
#define READER(word, fill, what, deadline, text, ...)                                                 \
	static int word##_reader_read(struct arena *a, void *ret_record, struct err *e)            \
	{                                                                                          \
		int r = fill(a, ret_record, e);                                                    \
                                                                                                   \
		if (r >= 0)                                                                        \
			mark_filled(&(what), ret_record);                                          \
		return r;                                                                          \
	}                                                                                          \
	const struct reader reader_##word = {                                                      \
		.name = #word,                                                                     \
		.doc = text,                                                                       \
		.table = &(what),                                                                  \
		.deadline_ms = deadline,                                                           \
		.read = word##_reader_read, __VA_ARGS__                                                     \
	}

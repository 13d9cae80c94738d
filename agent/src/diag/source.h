/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A text that diagnostics point into, and places in it.
 */
#pragma once

#include "base/arena.h"

struct span;

struct source {
	const char *name; /* as the operator named it: "appliance.yaml" */
	const char *text; /* UTF-8, NUL-terminated */
	size_t size;      /* bytes */
	const char *dir;  /* absolute folder, where relative paths in it start; NULL: not known */
	const char *path; /* absolute, links resolved; NULL: not known, or it is no file */
	const struct span *included; /* what includes it; NULL: it was named by the operator */
	unsigned order; /* which one was read first, of those that include each other */
};

/* A run of text. Lines and columns are 1-based, columns count characters (code points); the end is
 * exclusive: the column after the last character. A span with no source points nowhere. */
struct span {
	const struct source *source;
	unsigned line, column;
	unsigned end_line, end_column;
};

/* By where they begin: texts in the order that they were read, or by name. */
int span_cmp(const struct span *a, const struct span *b);
/* Whether they begin on one line of one text. */
bool span_one_line(const struct span *a, const struct span *b);
/* Line `n` without its newline (LF, CR LF or CR) and without a byte order mark, as a byte range of the
 * text; NULL past the end. */
const char *source_line(const struct source *s, unsigned n, size_t *ret_size);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Places in texts, and lines of one. A line ends with LF, CR LF or CR, as YAML 1.2 has it (section 5.4).
 */
#include "diag/source.h"

#define BOM "\xef\xbb\xbf"

int span_cmp(const struct span *a, const struct span *b)
{
	static const struct source none = {0};
	const struct source *x = a->source ? a->source : &none, *y = b->source ? b->source : &none;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	if (x != y) {
		int r = strcmp(x->name ? x->name : "", y->name ? y->name : "");

		if (r)
			return r;
	}
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return 0;
}

bool span_one_line(const struct span *a, const struct span *b)
{
	return a->source == b->source && a->line == b->line;
}

const char *source_line(const struct source *s, unsigned n, size_t *ret_size)
{
	const char *p, *end, *line;

	if (!s || !s->text || n == 0)
		return NULL;
	p = s->text;
	end = p + s->size;
	if (s->size >= 3 && memcmp(p, BOM, 3) == 0)
		p += 3; /* invisible, and counted in no column */
	for (;;) {
		line = p;
		while (p < end && *p != '\n' && *p != '\r')
			p++;
		if (--n == 0) {
			*ret_size = (size_t)(p - line);
			return line;
		}
		if (p == end)
			return NULL;
		if (*p == '\r' && p + 1 < end && p[1] == '\n')
			p++;
		p++;
	}
}

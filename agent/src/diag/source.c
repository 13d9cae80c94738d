/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Lines of a text. A line ends with LF, CR LF or CR, as YAML 1.2 has it (section 5.4).
 */
#include "diag/source.h"

#define BOM "\xef\xbb\xbf"

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

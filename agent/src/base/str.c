/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A string that grows.
 */
#include "base/str.h"

void str_addn(struct str *b, const char *s, size_t n)
{
	if (b->n + n + 1 > b->cap) {
		b->cap = MAX_OF((b->n + n + 1) * 2, (size_t)64);
		b->s = xrealloc(b->s, b->cap, 1);
	}
	if (n)
		memcpy(b->s + b->n, s, n);
	b->n += n;
	b->s[b->n] = '\0';
}

void str_add(struct str *b, const char *s)
{
	str_addn(b, s, strlen(s));
}

void str_addc(struct str *b, char c)
{
	str_addn(b, &c, 1);
}

void str_addf(struct str *b, const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	str_add(b, text);
}

const char *str_get(const struct str *b)
{
	return b->s ? b->s : "";
}

char *str_take(struct str *b)
{
	char *s = b->s ? b->s : xstrdup("");

	memset(b, 0, sizeof(*b));
	return s;
}

void str_done(struct str *b)
{
	free(b->s);
	memset(b, 0, sizeof(*b));
}

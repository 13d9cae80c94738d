/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Digests and lists of sums.
 */
#include "kinds/digest.h"

#include <ctype.h>
#include <errno.h>

#include "base/ident.h"

#define HEX (SHA256_TEXT - 1)

const char digest_none[] = "0000000000000000000000000000000000000000000000000000000000000000";

static size_t hex_run(const char *s)
{
	return strspn(s, "0123456789abcdefABCDEF");
}

bool digest_ok(const char *s)
{
	return s && strlen(s) == HEX && strspn(s, "0123456789abcdef") == HEX;
}

static const char *lower(struct arena *a, const char *s)
{
	char *p = arena_strndup(a, s, HEX);

	for (char *c = p; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return p;
}

/* One line of a list: "HEX  NAME", "HEX *NAME", "SHA256 (NAME) = HEX". */
static bool line_of(const char *line, size_t n, const char **hex, const char **name, size_t *n_name)
{
	static const char tag[] = "SHA256 (";
	const size_t l = sizeof(tag) - 1;

	while (n > 0 && isspace((unsigned char)line[n - 1]))
		n--;
	if (n > HEX + 2 && hex_run(line) == HEX && line[HEX] == ' ') {
		*hex = line;
		*name = line + HEX + 1;
		if (**name == ' ' || **name == '*')
			(*name)++;
		*n_name = (size_t)(line + n - *name);
		return *n_name > 0;
	}
	if (n > l + 4 + HEX && strncmp(line, tag, l) == 0 && hex_run(line + n - HEX) == HEX &&
	    strncmp(line + n - HEX - 4, ") = ", 4) == 0) {
		*hex = line + n - HEX;
		*name = line + l;
		*n_name = n - l - 4 - HEX;
		return true;
	}
	return false;
}

const char *digest_lookup(struct arena *a, const char *sums, const char *name)
{
	size_t want = strlen(name);

	for (const char *line = sums; want > 0 && *line;) {
		size_t n = strcspn(line, "\n");
		const char *hex, *is;
		size_t n_is;

		if (line_of(line, n, &hex, &is, &n_is) && n_is >= want &&
		    strncmp(is + n_is - want, name, want) == 0 &&
		    (n_is == want || is[n_is - want - 1] == '/'))
			return lower(a, hex);
		line += n + (line[n] == '\n');
	}
	return NULL;
}

int parse_digest(struct decode *c, const struct field *f, const char *text, const char **ret,
		 struct err *e)
{
	size_t n = strlen(text);

	while (n > 0 && isspace((unsigned char)text[n - 1]))
		n--;
	if (n == HEX && hex_run(text) == HEX) {
		*ret = lower(c->arena, text);
		return 0;
	}
	for (const char *line = text; *line;) {
		size_t l = strcspn(line, "\n"), n_name;
		const char *hex, *name;

		if (line_of(line, l, &hex, &name, &n_name)) {
			*ret = arena_strdup(c->arena, text);
			return 0;
		}
		line += l + (line[l] == '\n');
	}
	return err_set(e, -EINVAL, "a sha256: 64 hex digits, or {file: SHA256SUMS}");
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *digest_url_name(struct arena *a, const char *url)
{
	const char *end = url + strcspn(url, "?#"), *start = end;
	char *name, *to;

	while (start > url && start[-1] != '/')
		start--;
	name = arena_strndup(a, start, (size_t)(end - start));
	to = name;
	for (const char *s = name; *s;) {
		int high = *s == '%' ? hex_digit(s[1]) : -1;
		int low = high >= 0 ? hex_digit(s[2]) : -1;

		if (low >= 0 && high + low > 0) {
			*to++ = (char)(high << 4 | low);
			s += 3;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
	return name;
}

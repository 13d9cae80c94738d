/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Digests and lists of sums.
 */
#include "kinds/digest.h"

#include <ctype.h>
#include <errno.h>

/* What tells the one from the other. */
struct sort {
	size_t hex;
	const char *tag;
	const char *what;
};

static const struct sort sorts[] = {
	[HASH_SHA256] = {SHA256_TEXT - 1, "SHA256 (", "a sha256: 64 hex digits, or {file: SHA256SUMS}"},
	[HASH_SHA512] = {SHA512_TEXT - 1, "SHA512 (", "a sha512: 128 hex digits, or {file: SHA512SUMS}"},
};

const char digest_none[] = "0000000000000000000000000000000000000000000000000000000000000000";

static size_t hex_run(const char *s)
{
	return strspn(s, "0123456789abcdefABCDEF");
}

static bool is_digest(const char *s, enum hash_type type)
{
	return s && strlen(s) == sorts[type].hex &&
	       strspn(s, "0123456789abcdef") == sorts[type].hex;
}

bool digest_ok(const char *s)
{
	return is_digest(s, HASH_SHA256);
}

bool digest_512_ok(const char *s)
{
	return is_digest(s, HASH_SHA512);
}

static const char *lower(struct arena *a, const char *s, size_t hex)
{
	char *p = arena_strndup(a, s, hex);

	for (char *c = p; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return p;
}

/* One line of a list: "HEX  NAME", "HEX *NAME", "SHA256 (NAME) = HEX". */
static bool line_of(const struct sort *sort, const char *line, size_t n, const char **hex,
		    const char **name, size_t *n_name)
{
	const size_t l = strlen(sort->tag), digits = sort->hex;

	while (n > 0 && isspace((unsigned char)line[n - 1]))
		n--;
	if (n > digits + 2 && hex_run(line) == digits && line[digits] == ' ') {
		*hex = line;
		*name = line + digits + 1;
		if (**name == ' ' || **name == '*')
			(*name)++;
		*n_name = (size_t)(line + n - *name);
		return *n_name > 0;
	}
	if (n > l + 4 + digits && strncmp(line, sort->tag, l) == 0 &&
	    hex_run(line + n - digits) == digits &&
	    strncmp(line + n - digits - 4, ") = ", 4) == 0) {
		*hex = line + n - digits;
		*name = line + l;
		*n_name = n - l - 4 - digits;
		return true;
	}
	return false;
}

const char *digest_lookup(struct arena *a, enum hash_type type, const char *sums, const char *name)
{
	size_t want = strlen(name);

	for (const char *line = sums; want > 0 && *line;) {
		size_t n = strcspn(line, "\n");
		const char *hex, *is;
		size_t n_is;

		if (line_of(&sorts[type], line, n, &hex, &is, &n_is) && n_is >= want &&
		    strncmp(is + n_is - want, name, want) == 0 &&
		    (n_is == want || is[n_is - want - 1] == '/'))
			return lower(a, hex, sorts[type].hex);
		line += n + (line[n] == '\n');
	}
	return NULL;
}

static int parse(struct decode *c, enum hash_type type, const char *text, const char **ret,
		 struct err *e)
{
	const struct sort *sort = &sorts[type];
	size_t n = strlen(text);

	while (n > 0 && isspace((unsigned char)text[n - 1]))
		n--;
	if (n == sort->hex && hex_run(text) == sort->hex) {
		*ret = lower(c->arena, text, sort->hex);
		return 0;
	}
	for (const char *line = text; *line;) {
		size_t l = strcspn(line, "\n"), n_name;
		const char *hex, *name;

		if (line_of(sort, line, l, &hex, &name, &n_name)) {
			*ret = arena_strdup(c->arena, text);
			return 0;
		}
		line += l + (line[l] == '\n');
	}
	return err_set(e, -EINVAL, "%s", sort->what);
}

int parse_digest(struct decode *c, const struct field *f, const char *text, const char **ret,
		 struct err *e)
{
	return parse(c, HASH_SHA256, text, ret, e);
}

int parse_digest_512(struct decode *c, const struct field *f, const char *text, const char **ret,
		     struct err *e)
{
	return parse(c, HASH_SHA512, text, ret, e);
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

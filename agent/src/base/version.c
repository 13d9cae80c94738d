/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Versions that can be compared.
 */
#include "base/version.h"

#include <errno.h>

bool version_sane(const char *v)
{
	size_t n = v ? strlen(v) : 0;

	return n > 0 && n <= VERSION_MAX && v[0] != '-' &&
	       strspn(v, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._+~-") ==
		       n;
}

/* The number at *p, which goes behind it and its dot; none left is 0, so that "1" is as old as "1.0". */
static bool number(const char **p, uint64_t *ret)
{
	char *end;

	*ret = 0;
	if (!**p || **p == '-')
		return true;
	if (**p < '0' || **p > '9')
		return false;
	errno = 0;
	*ret = strtoull(*p, &end, 10);
	if (errno || (*end == '.' && (end[1] < '0' || end[1] > '9')) ||
	    (*end && *end != '.' && *end != '-'))
		return false;
	*p = *end == '.' ? end + 1 : end;
	return true;
}

static bool ended(const char *p)
{
	return !*p || *p == '-';
}

bool version_compare(const char *a, const char *b, int *ret)
{
	int order = 0;

	if (!a || !b || ended(a) || ended(b))
		return false;
	while (!ended(a) || !ended(b)) {
		uint64_t x, y;

		if (!number(&a, &x) || !number(&b, &y))
			return false;
		if (!order)
			order = x < y ? -1 : x > y;
	}
	*ret = order;
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Sizes and times as people write them.
 */
#include "base/num.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "base/str.h"

struct unit {
	const char *word;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{"B", 1},
	{"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40},
	{"PiB", 1ull << 50},
	{"kB", 1000}, {"KB", 1000}, {"MB", 1000000}, {"GB", 1000000000},
	{"TB", 1000000000000},
};

static const struct unit time_units[] = {
	{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400},
};

/* Digits, at most one point with up to three decimals, a space at most, a unit. */
static int parse_unit(const char *s, const struct unit *units, size_t n_units, uint64_t *ret)
{
	uint64_t whole = 0, thousandths = 0, scale = 100, value, part;
	const char *p = s;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++) {
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
			return -ERANGE;
	}
	if (*p == '.') {
		p++;
		if (!isdigit((unsigned char)*p))
			return -EINVAL;
		for (; isdigit((unsigned char)*p); p++, scale /= 10) {
			if (scale == 0)
				return -EINVAL;
			thousandths += (uint64_t)(*p - '0') * scale;
		}
	}
	if (*p == '\0')
		return -ENODATA;
	if (*p == ' ')
		p++;
	for (size_t i = 0; i < n_units; i++) {
		if (!streq(p, units[i].word))
			continue;
		if (thousandths && units[i].factor == 1)
			return -EINVAL;
		if (__builtin_mul_overflow(whole, units[i].factor, &value))
			return -ERANGE;
		/* Exact: the factor's thousandth may not be whole, the product is cut. */
		part = (uint64_t)((unsigned __int128)units[i].factor * thousandths / 1000);
		if (__builtin_add_overflow(value, part, &value) || value > INT64_MAX)
			return -ERANGE;
		*ret = value;
		return 0;
	}
	return -EINVAL;
}

int num_parse_size(const char *s, uint64_t *ret_bytes)
{
	return parse_unit(s, size_units, ARRAY_SIZE(size_units), ret_bytes);
}

const char *num_guess_size(char buf[NUM_TEXT], const char *s)
{
	size_t n = strspn(s, "0123456789.,");
	const char *unit = s + n + (s[n] == ' ');
	const char *letter = *unit ? strchr("KMGTP", toupper((unsigned char)*unit)) : "M";
	uint64_t bytes;

	if (n == 0 || n > NUM_TEXT - 8 || !letter ||
	    (*unit && unit[1] && strcasecmp(unit + 1, "b") != 0 && strcasecmp(unit + 1, "ib") != 0))
		return NULL;
	snprintf(buf, NUM_TEXT, "%.*s%ciB", (int)n, s, *letter);
	for (char *p = buf; *p; p++)
		if (*p == ',')
			*p = '.';
	return num_parse_size(buf, &bytes) == 0 && bytes > 0 && !streq(buf, s) ? buf : NULL;
}

int num_parse_duration(const char *s, uint64_t *ret_seconds)
{
	return parse_unit(s, time_units, ARRAY_SIZE(time_units), ret_seconds);
}

int num_parse_int(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	const char *digits = s[0] == '-' ? s + 1 : s;
	long long value;
	char *end;

	/* A leading zero means eight to some and ten to others: it is refused. */
	if (!isdigit((unsigned char)digits[0]) || (digits[0] == '0' && digits[1] != '\0'))
		return -EINVAL;
	errno = 0;
	value = strtoll(s, &end, 10);
	if (*end != '\0')
		return -EINVAL;
	if (errno == ERANGE || value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

const char *num_size(char buf[NUM_TEXT], uint64_t bytes)
{
	static const char *const words[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	uint64_t tenths;
	unsigned i = 0;
	double v = (double)bytes;

	while (v >= 1024 && i + 1 < ARRAY_SIZE(words)) {
		v /= 1024;
		i++;
	}
	tenths = (uint64_t)(v * 10 + 0.5);
	if (i == 0 || tenths % 10 == 0)
		snprintf(buf, NUM_TEXT, "%llu %s", (unsigned long long)(tenths / 10), words[i]);
	else
		snprintf(buf, NUM_TEXT, "%llu.%llu %s", (unsigned long long)(tenths / 10),
			 (unsigned long long)(tenths % 10), words[i]);
	return buf;
}

const char *num_size_exact(char buf[NUM_TEXT], uint64_t bytes)
{
	static const char *const words[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	unsigned i = 0;

	while (bytes && bytes % 1024 == 0 && i + 1 < ARRAY_SIZE(words)) {
		bytes /= 1024;
		i++;
	}
	snprintf(buf, NUM_TEXT, "%llu%s", (unsigned long long)bytes, words[i]);
	return buf;
}

const char *num_age(char buf[NUM_TEXT], uint64_t seconds)
{
	for (size_t i = ARRAY_SIZE(time_units); i-- > 0;) {
		/* "90s" says more than "1m": a unit is used from twice its length on. */
		if (i == 0 || seconds >= 2 * time_units[i].factor) {
			snprintf(buf, NUM_TEXT, "%llu%s",
				 (unsigned long long)(seconds / time_units[i].factor),
				 time_units[i].word);
			break;
		}
	}
	return buf;
}

const char *num_ranges(struct arena *a, const bool *set, size_t n)
{
	_cleanup_str_ struct str s = {0};

	for (size_t i = 0; i < n; i++) {
		size_t first = i;

		if (!set[i])
			continue;
		while (i + 1 < n && set[i + 1])
			i++;
		str_addf(&s, s.n ? ",%zu" : "%zu", first);
		if (i > first)
			str_addf(&s, "-%zu", i);
	}
	return arena_strdup(a, str_get(&s));
}

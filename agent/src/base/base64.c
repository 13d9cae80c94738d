/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/base64.h"

static int digit(char c)
{
	static const char digits[] = BASE64_DIGITS;
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

bool base64_decode(const char *text, size_t n, unsigned char *ret, size_t size)
{
	size_t got = 0, pads = 0, digits = 0;
	uint32_t bits = 0;

	for (size_t i = 0; i < n; i++) {
		int d = digit(text[i]);

		if (text[i] == '\n' || text[i] == '\r')
			continue;
		if (text[i] == '=' && ++pads <= 2)
			continue;
		if (d < 0 || pads)
			return false;
		bits = bits << 6 | (uint32_t)d;
		if (++digits % 4 == 1)
			continue;
		if (got == size)
			return false;
		ret[got++] = (unsigned char)(bits >> (6 - 2 * ((digits - 1) % 4)));
	}
	return got == size && (!pads || (digits + pads) % 4 == 0);
}

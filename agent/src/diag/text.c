/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * UTF-8 decoding and character widths; no locale is needed, for a small dom0 may have none.
 */
#include "diag/text.h"

size_t text_decode(const char *s, size_t n, uint32_t *ret_cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)s;
	uint32_t cp;
	size_t len, i;

	*ret_cp = TEXT_INVALID;
	if (p[0] < 0x80) {
		*ret_cp = p[0];
		return 1;
	} else if (p[0] >= 0xc2 && p[0] < 0xe0) {
		len = 2;
		cp = p[0] & 0x1fu;
	} else if (p[0] >= 0xe0 && p[0] < 0xf0) {
		len = 3;
		cp = p[0] & 0x0fu;
	} else if (p[0] >= 0xf0 && p[0] < 0xf5) {
		len = 4;
		cp = p[0] & 0x07u;
	} else {
		return 1;
	}
	if (len > n)
		return 1;
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1;
		cp = cp << 6 | (p[i] & 0x3fu);
	}
	if (cp < least[len] || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		return 1;
	*ret_cp = cp;
	return len;
}

bool text_printable(uint32_t cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp > 0x10ffff)
		return false;
	/* Line separators, directional marks, overrides and isolates, interlinear marks, BOM. */
	return !((cp >= 0x200e && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
		 (cp >= 0x2066 && cp <= 0x2069) || cp == 0x61c || cp == 0xfeff ||
		 (cp >= 0xfff9 && cp <= 0xfffb));
}

struct range {
	uint32_t first, last;
};

static bool in_ranges(const struct range *r, size_t n, uint32_t cp)
{
	size_t i;

	for (i = 0; i < n && r[i].first <= cp; i++)
		if (cp <= r[i].last)
			return true;
	return false;
}

unsigned text_width(uint32_t cp)
{
	/* The blocks of combining characters and of East Asian wide ones (Unicode's UAX #11) that a
	 * manifest's comments may well hold; not every last one. */
	static const struct range zero[] = {
		{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a},
		{0x064b, 0x065f}, {0x093c, 0x093c}, {0x094d, 0x094d}, {0x0e34, 0x0e3a},
		{0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200d},
		{0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef},
	};
	static const struct range wide[] = {
		{0x1100, 0x115f},   {0x231a, 0x231b},   {0x2e80, 0x303e},   {0x3041, 0x33ff},
		{0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},
		{0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
		{0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
		{0x20000, 0x3fffd},
	};

	if (cp < 0x300)
		return 1;
	if (in_ranges(zero, ARRAY_SIZE(zero), cp))
		return 0;
	return in_ranges(wide, ARRAY_SIZE(wide), cp) ? 2 : 1;
}

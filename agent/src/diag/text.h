/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * UTF-8 (RFC 3629) and the room that characters take on a terminal.
 */
#pragma once

#include "base/util.h"

#define TEXT_INVALID 0xffffffffu

/* The code point at `s` (n > 0 bytes are there) and how many bytes it takes; for what isn't UTF-8
 * (overlong forms and surrogates included) TEXT_INVALID and 1. */
size_t text_decode(const char *s, size_t n, uint32_t *ret_cp);
/* Neither a control character, nor invalid, nor one that reorders its surroundings. */
bool text_printable(uint32_t cp);
/* Columns on a terminal: 0, 1 or 2. */
unsigned text_width(uint32_t cp);

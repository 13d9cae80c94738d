/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A string that grows. Zero-initialise it; str_done() takes every state.
 */
#pragma once

#include "base/util.h"

struct str {
	char *s;  /* NUL-terminated, or NULL while empty */
	size_t n; /* length without the NUL */
	size_t cap;
};

#define _cleanup_str_ _cleanup_(str_done)

void str_add(struct str *b, const char *s);
void str_addn(struct str *b, const char *s, size_t n);
void str_addc(struct str *b, char c);
void str_addf(struct str *b, const char *fmt, ...) _printf_(2, 3);
/* The text so far, "" when empty; stays owned by `b`. */
const char *str_get(const struct str *b);
/* Hands the text over; `b` is empty afterwards. */
char *str_take(struct str *b);
void str_done(struct str *b);

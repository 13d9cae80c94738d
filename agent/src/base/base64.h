/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Base64 (RFC 4648, 4), read.
 */
#pragma once

#include "base/util.h"

#define BASE64_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

/* The `n` bytes of text are exactly `size` bytes, padded or not; line breaks may stand in them. */
bool base64_decode(const char *text, size_t n, unsigned char *ret, size_t size);

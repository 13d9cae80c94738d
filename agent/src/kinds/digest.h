/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A digest as people give it: 64 hex digits (sha512: 128), or a list of sums as sha256sum prints it
 * (plain, with '*', or with --tag) in which a file is looked up.
 */
#pragma once

#include "base/ident.h"
#include "conf/field.h"

/* Stands for a digest that isn't there, in a manifest that has an error anyway. */
extern const char digest_none[];

bool digest_ok(const char *s); /* 64 lower-case hex digits; NULL isn't */
bool digest_512_ok(const char *s);
/* Field: a digest, made lower case, or a whole list of sums, left as it is. */
field_parse_fn parse_digest, parse_digest_512;
/* The digest of `name` in the list; a path before it doesn't count. NULL: not there. Arena memory. */
const char *digest_lookup(struct arena *a, enum hash_type type, const char *sums, const char *name);
/* The last part of a url's path, %XX decoded: "debian-12.img.zst". Arena memory. */
const char *digest_url_name(struct arena *a, const char *url);

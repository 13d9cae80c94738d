/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A file from afar as a stream that is pulled: http and https by libcurl, file: by itself, hashed as it
 * comes. A connection that breaks is taken up again where it broke (RFC 9110, 13.1.5 and 14), a few times and
 * ever later; memory stays bounded however slow the reader is. Redirects never lead to file:.
 */
#pragma once

#include "base/err.h"
#include "base/ident.h"

struct fetch;

struct fetch_request {
	const char *url;
	uint64_t max;        /* bytes; more is -EFBIG */
	unsigned backoff_ms; /* the first wait before taking up again; 0: a second */
};

/* Starts; nothing was asked of the network yet. -EINVAL: no url we fetch. The caller owns *ret. */
int fetch_open(const struct fetch_request *q, struct fetch **ret, struct err *e);
/* The next bytes, valid until the next call; none at the end. Waits. After an error only fetch_free()
 * makes sense. -ENOENT: not there; -EACCES: refused; -ESTALE: changed while it was fetched. */
int fetch_read(struct fetch *f, const void **ret, size_t *ret_n, struct err *e);
/* Reads on to the end, and gives the digest of all that came. Once. */
int fetch_digest(struct fetch *f, char ret[SHA256_TEXT], struct err *e);
uint64_t fetch_done(const struct fetch *f);  /* bytes so far */
uint64_t fetch_total(const struct fetch *f); /* 0: not known (yet) */
const char *fetch_type(const struct fetch *f); /* the media type that the server names, or "" */
const char *fetch_shown(const struct fetch *f); /* the url as people may see it: no password */
void fetch_free(struct fetch *f);               /* takes NULL */
void fetch_freep(struct fetch **f);
#define _cleanup_fetch_ _cleanup_(fetch_freep)

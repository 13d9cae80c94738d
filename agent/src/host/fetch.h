/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A file from afar as a stream that is pulled: http, https and, where it is let, tftp by libcurl, file: by itself, hashed as it
 * comes. A connection that breaks is taken up again where it broke (RFC 9110, 13.1.5 and 14), a few times and
 * ever later; then from the next mirror, for the digest makes all of them equal. Memory stays bounded
 * however slow the reader is. Redirects never lead to file:. Proxies are libcurl's: http_proxy,
 * https_proxy, no_proxy.
 */
#pragma once

#include "base/err.h"
#include "base/ident.h"

struct fetch;

struct fetch_request {
	const char *url;
	const char *const *mirrors; /* may be NULL */
	size_t n_mirrors;
	size_t first;          /* begin with this one: 0 is `url`, 1 the first mirror */
	enum hash_type hash;
	const char *ca;        /* a file of certificates to trust in place of the system's; may be NULL */
	bool tftp;             /* may be one of tftp: nothing of it is secret, and no other can be told from it */
	unsigned time_limit_s; /* for all of it; 0: none */
	unsigned slow_s;       /* so long without progress is a broken connection; 0: a minute */
	uint64_t max;          /* bytes; more is -EFBIG */
	unsigned backoff_ms;   /* the first wait before taking up again; 0: a second */
};

/* Starts; nothing was asked of the network yet. -EINVAL: no url we fetch. The caller owns *ret. */
int fetch_open(const struct fetch_request *q, struct fetch **ret, struct err *e);
/* Up to `size` of the next bytes; behind them *ret_hole more, which are zeros and weren't read (a file's
 * holes). Neither: the end. Waits. After an error only fetch_free() makes sense. -ENOENT: not there;
 * -EACCES: refused; -ENOKEY: nothing in `ca`; -ESTALE: changed while it was fetched; -ETIMEDOUT: over its time limit. */
int fetch_read(struct fetch *f, char *buf, size_t size, size_t *ret_n, uint64_t *ret_hole,
	       struct err *e);
/* At the end: the digest of all that came. Once. */
void fetch_digest(struct fetch *f, char ret[HASH_TEXT]);
/* From another thread: fetch_read() soon fails with -ECANCELED. */
void fetch_stop(struct fetch *f);
uint64_t fetch_done(const struct fetch *f);  /* bytes so far */
uint64_t fetch_total(const struct fetch *f); /* 0: not known (yet) */
const char *fetch_type(const struct fetch *f); /* the media type that the server names, or "" */
const char *fetch_shown(const struct fetch *f); /* the url as people may see it: no password */
size_t fetch_source(const struct fetch *f); /* where it comes from now: 0 is the url, 1 the first mirror */
void fetch_free(struct fetch *f);               /* takes NULL */
void fetch_freep(struct fetch **f);
#define _cleanup_fetch_ _cleanup_(fetch_freep)

/* How long to wait before the n-th time of taking up again (from 1): twice as long each time, up to half a
 * minute, less up to a half by chance, so that many hosts don't come at once; or what the server asks for. */
unsigned fetch_backoff(unsigned first_ms, unsigned n, uint64_t chance, uint64_t asked_s);
/* Waits so long; for tests to replace. */
extern void (*fetch_wait)(struct fetch *f, unsigned ms);

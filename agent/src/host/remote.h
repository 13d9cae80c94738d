/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A small text from afar, whole and in memory, and no other than the one that was meant: by its digest, or signed by the
 * holder of a key. What a proxy or a server answers in its place is told from it.
 */
#pragma once

#include "base/err.h"
#include "base/ident.h"

#define REMOTE_KEYS_MAX 8

struct remote {
	const char *url;       /* http, https, tftp or file */
	const char *sha256;    /* 64 hex digits; NULL: any */
	/* Ed25519 public keys (RFC 8032), 32 bytes in base64, with commas between; NULL: unsigned. The signature of one of them
	 * is 64 bytes, or those in base64, at the url with ".sig" behind its path. */
	const char *keys;
	const char *ca;        /* a file of certificates to trust in place of the system's; may be NULL */
	size_t max;            /* bytes */
	unsigned patience_s;   /* a server that doesn't answer is asked for so long */
};

/* The text, NUL-terminated; the caller's. -ENOENT, -EACCES: not there, refused; -EFBIG; -ENODATA: it is empty;
 * -EMEDIUMTYPE: a web page; -EBADMSG: another digest; -EKEYREJECTED: no signature that holds; -EINVAL: a digest, key or url
 * that is none; else it couldn't be had. */
int remote_read(const struct remote *q, char **ret, size_t *ret_n, struct err *e);

/* Whether one of the keys has signed that. -EINVAL: a key that is none; -EKEYREJECTED. */
int remote_check(const char *keys, const void *data, size_t n, const void *signature,
		 size_t n_signature, struct err *e);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Identity from names.
 */
#include "base/ident.h"

#include <ctype.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <uuid/uuid.h>

/* UUID version 5 of "kind/name" under the namespace's own (RFC 4122, 4.3; appendix C for DNS). */
static void derive(const char *namespace, const char *what, uuid_t ret)
{
	uuid_t space;

	uuid_generate_sha1(space, *uuid_get_template("dns"), namespace, strlen(namespace));
	uuid_generate_sha1(ret, space, what, strlen(what));
}

void ident_uuid(const char *namespace, const char *kind, const char *name, char ret[UUID_TEXT])
{
	_cleanup_(freep) char *what = xasprintf("%s/%s", kind, name);
	uuid_t id;

	derive(namespace, what, id);
	uuid_unparse_lower(id, ret);
}

int ident_uuid_parse(const char *text, char ret[UUID_TEXT])
{
	char digits[33];
	uuid_t id;
	size_t n = 0;

	for (const char *s = text; *s; s++) {
		if (*s == '-' && n > 0 && s[1])
			continue;
		if (!isxdigit((unsigned char)*s) || n == sizeof(digits) - 1)
			return -EINVAL;
		digits[n++] = *s;
	}
	digits[n] = '\0';
	if (n != sizeof(digits) - 1)
		return -EINVAL;
	snprintf(ret, UUID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", digits, digits + 8, digits + 12,
		 digits + 16, digits + 20);
	if (uuid_parse(ret, id) < 0 || uuid_is_null(id))
		return -EINVAL;
	uuid_unparse_lower(id, ret);
	return 0;
}

void ident_mac(const char *namespace, const char *domain, const char *nic, char ret[MAC_TEXT])
{
	_cleanup_(freep) char *what = xasprintf("nic/%s/%s", domain, nic);
	uuid_t id;

	derive(namespace, what, id);
	/* 00:16:3e is Xen's; the first octets of the hash, for bits 6 and 8 of a UUID are fixed. */
	snprintf(ret, MAC_TEXT, "00:16:3e:%02x:%02x:%02x", id[0], id[1], id[2]);
}

struct hash {
	gnutls_hash_hd_t hd;
	gnutls_digest_algorithm_t type;
};

static void hex(const unsigned char *d, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++)
		snprintf(ret + 2 * i, 3, "%02x", d[i]);
}

struct hash *hash_new(enum hash_type type)
{
	struct hash *h = xcalloc(1, sizeof(*h));

	h->type = type == HASH_SHA512 ? GNUTLS_DIG_SHA512 : GNUTLS_DIG_SHA256;
	if (gnutls_hash_init(&h->hd, h->type) < 0)
		abort(); /* memory, or a crypto policy without SHA-2: nothing can go on */
	return h;
}

void hash_add(struct hash *h, const void *data, size_t n)
{
	if (gnutls_hash(h->hd, data, n) < 0)
		abort();
}

void hash_end(struct hash *h, char ret[HASH_TEXT])
{
	unsigned char d[64];

	gnutls_hash_deinit(h->hd, d);
	hex(d, h->type == GNUTLS_DIG_SHA512 ? 64 : 32, ret);
	free(h);
}

void sha256_of(const void *data, size_t n, char ret[SHA256_TEXT])
{
	struct hash *h = hash_new(HASH_SHA256);
	char text[HASH_TEXT];

	hash_add(h, data, n);
	hash_end(h, text);
	memcpy(ret, text, SHA256_TEXT);
}

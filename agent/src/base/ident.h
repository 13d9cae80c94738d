/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Identity from names: a resource's UUID is the version 5 UUID (RFC 4122, 4.3) of "kind/name" under
 * the namespace's own, which is the version 5 UUID of the namespace under the DNS one. A NIC's MAC
 * is 00:16:3e (Xen's prefix) and three octets of the same hash. Stable for ever.
 */
#pragma once

#include "base/util.h"

#define UUID_TEXT 37
#define MAC_TEXT  18
#define SHA256_TEXT 65
#define SHA512_TEXT 129

void ident_uuid(const char *namespace, const char *kind, const char *name, char ret[UUID_TEXT]);
/* A UUID as people write it, with its hyphens or without, in either case, into the one way of writing it. -EINVAL: it is
 * none, or the one of nothing but zeros. */
int ident_uuid_parse(const char *text, char ret[UUID_TEXT]);
void ident_mac(const char *namespace, const char *domain, const char *nic, char ret[MAC_TEXT]);

/* SHA-2 as a stream and of a whole buffer; hex is lower case. */
enum hash_type { HASH_SHA256, HASH_SHA512 };
#define HASH_TEXT SHA512_TEXT /* room for either */
struct hash;
struct hash *hash_new(enum hash_type type);
void hash_add(struct hash *h, const void *data, size_t n);
void hash_end(struct hash *h, char ret[HASH_TEXT]); /* frees h */
void sha256_of(const void *data, size_t n, char ret[SHA256_TEXT]);

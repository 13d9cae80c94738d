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

void ident_uuid(const char *namespace, const char *kind, const char *name, char ret[UUID_TEXT]);
void ident_mac(const char *namespace, const char *domain, const char *nic, char ret[MAC_TEXT]);

/* SHA-256 as a stream and of a whole buffer; hex is lower case. */
struct sha256;
struct sha256 *sha256_new(void);
void sha256_add(struct sha256 *h, const void *data, size_t n);
void sha256_end(struct sha256 *h, char ret[SHA256_TEXT]); /* frees h */
void sha256_of(const void *data, size_t n, char ret[SHA256_TEXT]);

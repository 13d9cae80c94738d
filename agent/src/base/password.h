/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Hashes of passwords as /etc/shadow has them (crypt(5)).
 */
#pragma once

#include "base/err.h"

#define PASSWORD_TYPED_MAX 512 /* bytes, as libcrypt takes them */

/* Whether that is such a hash, whole, and by a method that still keeps a password. -EINVAL with a message that goes behind
 * "it is not". No line break stands in it. */
int password_hash_check(const char *hash, struct err *e);
/* Whether it is that password's. False, too, where libcrypt can't tell. Takes as long as the hash asks for: a second, say. */
bool password_is(const char *hash, const char *typed);

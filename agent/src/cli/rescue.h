/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Root's shell at the host's console, for who knows the password that the manifest in force set.
 */
#pragma once

#include <termios.h>

/* Its hash, the caller's. NULL: there is no shell, and *ret_why, the caller's too, says why. */
char *rescue_hash(char **ret_why);
/* Asks on standard input for the password until it is right, nobody answers or an empty one leads back; then is the shell,
 * until that ends. The terminal is as in `cooked` meanwhile, and afterwards as nobody knows. */
void rescue(const struct termios *cooked);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What stands in a class of sysfs, and what hardware each is behind.
 */
#pragma once

#include "base/err.h"

/* Calls `each` with every link or disk of that class ("net", "block"; partitions are none) and the path that its
 * hardware has, which it may write to. `below`: what leads there from the entry ("/device"). */
int sysfs_class(const char *class, const char *below,
		void (*each)(void *data, const char *name, char *real), void *data, struct err *e);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A sparse file to another: its extents, by the kernel's map of them, and nothing between.
 */
#pragma once

#include "base/err.h"

struct copy_request {
	const char *from;
	const char *target; /* a block device that reads as zeros, or an empty regular file */
	bool volatile_;     /* not onto stable storage: for those who measure */
	/* May be NULL. */
	void (*progress)(void *data, uint64_t done, uint64_t total);
	void *data;
};

/* Shares the blocks where the file system can (reflink). On failure what `target` holds is worth nothing.
 * *ret_written: bytes copied; 0 where they are shared. -ENOSPC and others as the system says. */
int image_copy(const struct copy_request *q, uint64_t *ret_written, struct err *e);

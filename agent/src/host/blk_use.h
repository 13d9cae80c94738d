/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Who uses a block device: mounts, swap, what is stacked on it, Xen's block backend. For
 * host/blk*.c alone.
 */
#pragma once

#include <sys/types.h>

#include "host/blk.h"

struct blk_use {
	dev_t dev;
	char *where; /* a mount point, "swap" */
};

struct blk_backend {
	dev_t dev;
	unsigned domid, vdev;
};

struct blk_uses {
	struct blk_use *list;
	size_t n;
	struct blk_backend *backends;
	size_t n_backends;
	dev_t *root; /* what the root file system stands on, down to the disks */
	size_t n_root;
};

/* /proc/self/mountinfo, /proc/swaps, /sys/bus/xen-backend: see proc(5). */
int blk_uses_read(struct blk_uses *u, struct err *e);
void blk_uses_done(struct blk_uses *u);
/* Fills holders, mounts and root of `b`, the device at `syspath`. */
void blk_uses_of(struct arena *a, const struct blk_uses *u, const char *syspath, dev_t dev,
		 struct blk_disk *b);

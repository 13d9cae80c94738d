/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Running thin pools, asked and told through device-mapper itself: what LVM's commands can't. For
 * host/lvm*.c alone. Targets' words: Documentation/admin-guide/device-mapper/thin-provisioning.rst.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* The running pool's transaction id. -ENODEV: it isn't running. */
int lvm_kernel_transaction(const char *vg, const char *pool, uint64_t *ret, struct err *e);
/* What a running thin volume has mapped, in bytes. -ENODEV: it isn't running, or isn't thin. */
int lvm_kernel_mapped(const char *vg, const char *lv, uint64_t *ret, struct err *e);
/* One message to the running pool, such as "create_thin 5". An errno `fine` is passed as success. */
int lvm_kernel_message(const char *vg, const char *pool, int fine, struct err *e, const char *fmt, ...)
	_printf_(5, 6);
/* The thin volume that the group's metadata still has to create in the kernel: a message that LVM
 * keeps until it has succeeded. `text`: a volume group as vgcfgbackup writes it. Returns 1 and its
 * name; 0: no creation, or more than that, is pending; -EINVAL: not such a text. */
int lvm_pending_create(struct arena *a, const char *text, const char *vg, const char *pool,
		       const char **ret_lv, struct err *e);

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
/* Takes the thin device of that number out of the running pool. One that isn't there is fine. */
int lvm_kernel_delete_thin(const char *vg, const char *pool, uint64_t thin_id, struct err *e);
/* The thin volume that the group's metadata still has to create in the kernel: a message that LVM
 * sends before everything else, until it has succeeded. `text`: a volume group as vgcfgbackup writes
 * it. Returns 1 and its name and thin id; 0: nothing is pending; -EINVAL: not such a text. */
int lvm_pending_create(struct arena *a, const char *text, const char *vg, const char *pool,
		       const char **ret_lv, uint64_t *ret_thin_id, struct err *e);

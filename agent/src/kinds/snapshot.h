/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Snapshots that are taken of thin volumes to be read: of what is exported, and of a guest's disk that is
 * captured, which becomes a base in the end. Until then each is called "copy.<unix time>.<volume>" and
 * tagged manor.state=filling: it is nobody's volume, and one that nobody has open was left by somebody
 * who died.
 */
#pragma once

#include "host/lvm.h"
#include "host/xen.h"

bool snapshot_is(const struct lvm_lv *lv);
/* Active, and open to nobody yet. *ret: its name; arena memory. */
int snapshot_take(struct arena *a, const struct lvm_lv *of, int64_t now, const char **ret,
		  struct err *e);
/* The snapshot becomes a finished base, known by `sha256`; nobody has it open any more. `of`: what it is a
 * snapshot of. Cut off in between, it is still half-made, under its own name or the base's. */
int snapshot_become_base(struct arena *a, const char *vg, const char *lv, const char *sha256,
			 const char *of, struct err *e);

/* The domain that may write to that volume now, or once it is unpaused: a running one before a paused
 * one; NULL: none. */
const struct xen_domain *snapshot_writer(const struct xen_facts *x, const struct lvm_lv *lv);

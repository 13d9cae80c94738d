/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Looking things up in the reading "lvm" and in its tags.
 */
#pragma once

#include "host/lvm.h"
#include "model/facts.h"
#include "model/manifest.h"

#define TAG_ID     "manor.id"   /* whose: the resource's UUID */
#define TAG_NAME   "manor.name" /* a volume's name, its LV's may be a tombstone's */
#define TAG_BASE   "manor.base" /* sha256 of the file that a base holds, or that a clone came from */
#define TAG_KERNEL "manor.kernel" /* of a clone: sha256 of the kernel that came with it */
#define TAG_INITRD "manor.initrd" /* and of the initrd */
#define TAG_STATE  "manor.state"  /* "filling" */
#define TAG_TRASH  "manor.trash"  /* a tombstone's expiry, seconds since the epoch */
/* The bytes that a base had mapped when it was finished, a tombstone when it was removed: inactive, they
 * tell no more. */
#define TAG_MAPPED   "manor.mapped"
#define TAG_SEED     "manor.seed"     /* of a cloud-init disk: sha256 of what it was made of */
#define TAG_INSTANCE "manor.instance" /* and for which instance */
#define TAG_KEPT     "manor.kept"     /* "1": undeleted */
#define TAG_CAPTURED "manor.captured" /* of a base: the volume that it was a snapshot of */

/* NULL when the reading is unknown. */
const struct lvm_facts *lvm_facts(const struct facts *f);
const struct lvm_vg *lvm_vg(const struct lvm_facts *l, const char *vg);
const struct lvm_lv *lvm_lv(const struct lvm_facts *l, const char *vg, const char *lv);
/* The value of tag KEY=VALUE, or NULL. */
const char *lvm_tag_value(const struct list *tags, const char *key);
/* A base of that digest, finished or not (look at its tag manor.state); NULL: none. */
const struct lvm_lv *lvm_base(const struct lvm_facts *l, const char *vg, const char *sha256);
/* The bytes that it has mapped, or had when it was last active; -1: not known. All of what isn't thin. */
int64_t lvm_mapped(const struct lvm_lv *lv);
bool lvm_filling(const struct lvm_lv *lv);
/* The UUID among the tags, when it is that resource's in the manifest's namespace (without a manifest:
 * in any), or NULL: not ours. */
const char *lvm_our_id(const struct manifest *m, const char *kind, const char *name,
		       const struct list *tags);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * LVM: volume groups, thin pools and volumes, through liblvm2cmd (there is no other library of
 * LVM2's since 2.03) and libdevmapper for what only the kernel knows. See lvm(8), lvmthin(7).
 *
 * Every function here waits for LVM to end and holds SIGTERM, SIGINT and SIGHUP back meanwhile: a
 * command that is killed can leave a pool one transaction behind. Whoever runs a worker that calls
 * these lets it end by itself, and never sends SIGKILL. One handle a process; not for threads.
 *
 * All mutating functions return 0 or a negative errno with a message: -ENOSPC (volume group or pool
 * is full), -EBUSY (in use), -ENOENT (no such thing), -EEXIST (the name is taken), -EINVAL (a word
 * that can't be given to LVM), -EIO (what else LVM said). Names are single words without the volume
 * group ("web.root"); tags are whole ("manor.id=UUID"). Sizes are bytes and are rounded up to
 * extents, as LVM does.
 */
#pragma once

#include "base/err.h"
#include "base/record.h"

/* Percentages are in hundredths: 3450 is 34.50 %; -1 where LVM knows none (inactive). */

struct lvm_pv {
	struct record rec;
	const char *name; /* /dev/sdb; "[unknown]" when it is missing */
	const char *uuid; /* LVM's own form, 6-4-4-4-4-4-6 */
	const char *vg;   /* NULL: in no volume group */
	uint64_t size, free;
	bool missing;
};

struct lvm_vg {
	struct record rec;
	const char *name;
	const char *uuid;
	uint64_t size, free, extent_size;
	struct list tags; /* of strings */
	bool partial;     /* a device of it is missing */
	bool exported;
};

struct lvm_lv {
	struct record rec;
	const char *name;
	const char *vg;
	const char *uuid;
	const char *type;   /* segment type: "thin-pool", "thin", "linear", … */
	const char *pool;   /* of a thin volume, else NULL */
	const char *origin; /* of a snapshot or clone, else NULL */
	uint64_t size;
	struct list tags;
	bool active; /* the kernel has it, and it can be read */
	bool open, readonly;
	int64_t created; /* seconds since the epoch */
	int64_t thin_id; /* of a thin volume, else -1 */
	int64_t data_percent;
	/* Of a thin pool: */
	int64_t metadata_percent;
	uint64_t metadata_size;
	int64_t transaction_id;        /* as the volume group's metadata says */
	int64_t kernel_transaction_id; /* as the running pool says; -1: not running, or not asked */
	bool error_when_full;
	const char *health; /* NULL: well; else LVM's words: "failed", "out_of_data", "metadata_read_only" */
};

struct lvm_facts {
	struct record rec;
	struct list vgs; /* of struct lvm_vg */
	struct list pvs;
	struct list lvs; /* visible ones */
};

/* What there is. Reads only. */
int lvm_read(struct arena *a, struct lvm_facts *ret, struct err *e);

/* Physical volumes and volume groups. `uuid` in LVM's form. The signature check is the caller's
 * (host/blk.h); LVM's own question about signatures is answered with no. */
int lvm_pv_create(const char *dev, const char *uuid, struct err *e);
int lvm_vg_create(const char *vg, const char *const *devs, size_t n, const char *const *tags,
		  size_t n_tags, struct err *e);
int lvm_vg_extend(const char *vg, const char *dev, struct err *e);
int lvm_vg_tag(const char *vg, const char *add, const char *del, struct err *e); /* either NULL */

/* Thin pools: 64 KiB chunks (more for pools above 15 TiB), zeroed when first written, an error (never
 * a queue) when full. A spare for the metadata is kept by LVM in the same group: leave 2 × metadata
 * beside `bytes`. */
#define LVM_POOL_CHUNK 65536u
int lvm_pool_create(const char *vg, const char *pool, uint64_t bytes, uint64_t metadata,
		    const char *const *tags, size_t n_tags, struct err *e);
/* To so many bytes of data and of metadata; what is as large already stays. */
int lvm_pool_extend(const char *vg, const char *pool, uint64_t bytes, uint64_t metadata,
		    struct err *e);
/* Whether a full pool fails writes at once (else it queues them, until it has grown or the kernel's
 * no_space_timeout is over). At once, whatever lvm.conf says. */
int lvm_pool_when_full(const char *vg, const char *pool, bool error, struct err *e);
/* Where LVM was killed or the power cut in the middle of lvcreate, the running pool may have made the
 * volume and be one transaction behind the metadata: it then refuses everything. Brings it up to date;
 * no volume is touched. 0 also when nothing was to mend; -EUCLEAN when it is further behind. */
int lvm_pool_mend(const char *vg, const char *pool, struct err *e);

/* Volumes; new ones are active, and are activated like any other (no activation skip). Those that
 * work on a thin pool mend it and try again once where it turns out to be a transaction behind. */
int lvm_thin_create(const char *vg, const char *pool, const char *lv, uint64_t bytes,
		    const char *const *tags, size_t n_tags, struct err *e);
int lvm_linear_create(const char *vg, const char *lv, uint64_t bytes, const char *const *tags,
		      size_t n_tags, struct err *e);
int lvm_clone(const char *vg, const char *origin, const char *lv, const char *const *tags,
	      size_t n_tags, struct err *e);
int lvm_extend(const char *vg, const char *lv, uint64_t bytes, struct err *e); /* never shrinks */
int lvm_activate(const char *vg, const char *lv, bool on, struct err *e);
/* Whether it is activated with its volume group (at boot); with false, only by lvm_activate(). */
int lvm_autoactivate(const char *vg, const char *lv, bool on, struct err *e);
int lvm_rename(const char *vg, const char *from, const char *to, struct err *e);
/* One command: all or nothing. A tag that is there already, or isn't, is fine. */
int lvm_tag(const char *vg, const char *lv, const char *const *add, size_t n_add,
	    const char *const *del, size_t n_del, struct err *e);
/* Destroys the volume and what is in it. For what is half-made only. -ENOENT when absent. */
int lvm_remove(const char *vg, const char *lv, struct err *e);

/* Bases: a template's disk. Created active and writable, tagged manor.base=SHA256 and
 * manor.state=filling in the creating command; finished: read-only, tagged manor.mapped=BYTES in place of
 * that, inactive (a clone needs no active origin). Flush what was written (fsync of the device) before finishing. */
#define LVM_BASE_TEXT 32
const char *lvm_base_name(const char *sha256, char buf[LVM_BASE_TEXT]); /* "base.<16 hex>" */
int lvm_base_create(const char *vg, const char *pool, const char *lv, uint64_t bytes,
		    const char *sha256, struct err *e);
/* Down to `bytes` (rounded up to extents): a stream's length is known at its end only, so a base begins
 * larger than its image. Nothing was written behind `bytes`. Refuses (-EINVAL) one that isn't tagged
 * manor.state=filling. */
int lvm_base_shrink(const char *vg, const char *lv, uint64_t bytes, struct err *e);
int lvm_base_finish(const char *vg, const char *lv, struct err *e);

/* "/dev/vg0/web.root", or below /dev/mapper where udev makes no links. Arena memory. */
const char *lvm_path(struct arena *a, const char *vg, const char *lv);
/* Whether that path leads to that volume, however it is written. */
bool lvm_path_is(const char *vg, const char *lv, const char *path);

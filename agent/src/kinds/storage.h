/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Storage: an LVM volume group with one thin pool, named like the resource.
 */
#pragma once

#include "host/blk.h"
#include "host/lvm.h"
#include "model/kind.h"

#define STORAGE_POOL "pool"

struct storage_device {
	struct record rec;
	const char *serial, *wwid, *path, *pci; /* exactly one of these */
	uint64_t min_size, max_size;            /* 0: any */
	int64_t partition; /* of a domain's disk: of that disk; 0: all of it */
	const char *pv; /* derived: the UUID that our PV on it bears */
};

/* What a full pool does with a write that needs room. */
enum when_full { WHEN_FULL_ERROR, WHEN_FULL_QUEUE };

struct storage_pool {
	struct record rec;
	const char *size;       /* "90%VG", or a size; NULL: 90%VG */
	const char *metadata;   /* "auto", or a size; NULL: auto */
	int when_full;          /* enum when_full */
	int64_t pause_at;       /* percent of its data at which its writers are paused; 100: never */
	const char *overcommit; /* "true", "false" or a ratio ("1.5"); NULL: true */
};

/* What becomes of a volume that leaves the manifest. */
struct storage_tombstones {
	struct record rec;
	uint64_t keep; /* seconds */
	bool purge;    /* an expired one is destroyed by the next apply; else by hand only */
};
#define TOMBSTONES_KEEP     "14d"
#define TOMBSTONES_KEEP_S   (UINT64_C(14) * 86400)
#define TOMBSTONES_KEEP_MAX (INT64_C(3650) * 86400)

struct storage {
	struct record rec;
	struct list devices; /* of struct storage_device */
	struct storage_pool pool;
	struct storage_tombstones tombstones;
	struct list purges; /* of strings: the expired tombstones that a step destroys */
	int when_full; /* derived: pool.when_full, to be compared with the host */
	/* What the host says: */
	struct list pvs; /* of strings: devices */
	uint64_t vg_size, vg_free, pool_size;
	uint64_t pool_virtual; /* the sum of its volumes' sizes, bases apart */
	int64_t data_percent, metadata_percent; /* hundredths */
	int64_t clones;
};

extern const struct table storage_table;

/* Whether anything new may go into the pool of that storage, as full as it is (and as large as this plan
 * makes it): NULL, or why not, with what could be freed. A storage yet to be made admits. For template and
 * volume, in decide(). */
const char *storage_admit(struct planning *p, const char *storage);
/* Why nothing in that volume group can be changed: another of its name, a missing device, exported;
 * NULL: nothing is wrong, or it isn't there. `s` (may be NULL) names the devices. */
const char *storage_trouble(struct arena *a, const struct lvm_facts *l, const char *vg,
			    const struct storage *s);
/* Whether the manifest's volumes add up to more than the pool may carry; whether the thick volumes that
 * this plan makes or grows fit beside it, all of them: NULL, or why not. */
const char *storage_overcommitted(struct planning *p, const char *storage);
const char *storage_thick_fits(struct planning *p, const char *storage);
/* Whether its pool is so full that whoever writes to it is to be paused, or, of those that are, is to stay so:
 * a few words on how full it is; NULL: neither, or not known. */
const char *storage_pauses(struct arena *a, const struct facts *f, const struct manifest *m,
			   const char *storage, bool paused);
/* How long a volume of that storage is kept once removed, in seconds. */
uint64_t storage_keeps(const struct manifest *m, const char *storage);
/* A storage's name, or a volume's within it, that LVM or device-mapper would refuse: why, else NULL. */
const char *storage_name_bad(struct arena *a, const char *storage);
const char *storage_volume_bad(struct arena *a, const char *storage, const char *volume);

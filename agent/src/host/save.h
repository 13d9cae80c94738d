/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What guests had in memory, kept in files: /var/lib/manor/save/NAME.save, which begins with a header of
 * Manor's (JSON, padded to a page) and goes on with libxl's stream. Each is there whole or not at all.
 *
 * A guest's memory and its disks belong together: once the guest has run on, or another was started from its
 * disks, what was saved would destroy them. Hence NAME.save becomes NAME.used before the guest that was made
 * of it first runs, and is never restored again; NAME.failed is one that could not be restored, kept aside.
 *
 * Mutating functions return when what they did survives a power cut. Sizes are bytes.
 */
#pragma once

#include "base/err.h"
#include "base/record.h"

struct saved_domain {
	struct record rec;
	const char *uuid;
	const char *boot_id;  /* the host's boot that it ran in */
	int64_t domid;        /* that it had then */
	int64_t since;        /* seconds since the epoch */
	bool for_host;        /* because the host went down */
	const char *domain;   /* what it was like: the writer's own words, opaque here */
	/* Of the files: */
	uint64_t size;
	bool whole;           /* it can be restored */
	bool used;            /* NAME.used is there */
	bool failed;          /* NAME.failed is there */
	const char *why;      /* its header can't be understood: why; nothing of the above is known then */
};

/* All there are: name → struct saved_domain. */
int save_read(struct arena *a, struct map *ret, struct err *e);
/* The file of that name, "web.save", for messages. Arena memory. */
const char *save_path(struct arena *a, const char *name);

/* In words: -ENOSPC, where so much more would leave /var too full; -ENOTSUP, where /var is in memory. */
int save_room(uint64_t bytes, struct err *e);
/* Begins a file for `bytes` of memory, whose room is taken already: -ENOSPC as above. Its header is written, and
 * saving_fd() stands where the stream goes. The caller owns *ret. */
struct saving;
int save_begin(const char *name, const struct saved_domain *header, uint64_t bytes,
	       struct saving **ret, struct err *e);
int saving_fd(const struct saving *s);
/* It is whole, and has its name. On failure it may have: save_discard() makes sure. */
int save_place(struct saving *s, struct err *e);
void saving_free(struct saving *s); /* takes NULL; what wasn't placed is gone */
void saving_freep(struct saving **s);
#define _cleanup_saving_ _cleanup_(saving_freep)

/* What was written to that disk is on it, and not on its way (a device, a file; others are passed over). */
int save_sync_disk(const char *path, struct err *e);
/* Tells a disk from another that is called the same, over boots: a volume's UUID, a disk's number, a file's number and
 * birth. NULL: nothing tells (of what is on the network its name has to do). */
const char *save_disk_id(struct arena *a, const char *path);

/* A descriptor that stands where the stream begins; the caller's. */
int save_open(const char *name, int *ret_fd, struct err *e);
/* .save → .used: from now on it can't be restored. And back, for a guest that never ran. */
int save_use(const char *name, struct err *e);
int save_unuse(const char *name, struct err *e);
/* .save → .failed */
int save_set_aside(const char *name, struct err *e);
/* Removes .save: it is lost. */
int save_discard(const char *name, struct err *e);
/* Removes .used. */
int save_forget(const char *name, struct err *e);

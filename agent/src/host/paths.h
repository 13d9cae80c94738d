/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What stands at the paths that a manifest names: files that are guests' disks, ISOs. Reads only.
 */
#pragma once

#include "base/err.h"
#include "base/record.h"

#define PATHS_MAX 8192 /* in one reading */

enum path_type {
	PATH_ABSENT,
	PATH_FILE,
	PATH_DEVICE, /* a block device */
	PATH_FOLDER,
	PATH_OTHER,
};
extern const char *const path_type_words[]; /* "absent", "file", …, NULL */

struct path_state {
	struct record rec;
	const char *path;     /* as it was asked for: absolute */
	int type;             /* enum path_type, links followed */
	uint64_t size;        /* bytes; of a file or a device */
	uint64_t held;        /* bytes that a file occupies: less than its size where it has holes */
	const char *id;       /* the thing itself, whatever it is called: "file 8:1 4711", "device 8:18" */
	/* A file's marks: sha256 of the golden file that it was cloned from, and of the boot files that came with
	 * that; NULL where it has none. */
	const char *base, *kernel, *initrd;
	const char *format;   /* "qcow2", "vmdk", "vhd", "vhdx" for a file that begins like one; NULL: like none */
	bool folder;          /* the folder that it is in is there */
	bool read_only;       /* its file system is mounted so, or the device says so */
	uint64_t free;        /* bytes that its file system has left for root; 0 where it can't be told */
	const char *why;      /* it couldn't be looked at: why, else NULL; then only `path` counts */
};

struct path_facts {
	struct record rec;
	struct list paths; /* of struct path_state, in the order asked */
};

/* The extended attributes that are a file's marks. */
#define PATH_BASE_ATTRIBUTE   "user.manor.base"
#define PATH_KERNEL_ATTRIBUTE "user.manor.kernel"
#define PATH_INITRD_ATTRIBUTE "user.manor.initrd"

/* `paths`: of strings, absolute. */
int paths_read(struct arena *a, const struct list *paths, struct path_facts *ret, struct err *e);
/* What `id` is of that path; NULL where nothing is. */
const char *path_id(struct arena *a, const char *path);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Boot files (kernels, initrds), named by their sha256 in CACHE_DIR. A name without `.part` is
 * complete: it was verified, synced, and then renamed. Beside a Linux kernel lies its unpacked form,
 * so that libxl needn't decompress it at every start of a domain. And disk images, unpacked and sparse, as
 * SHA256.img: what disks that are files are cloned from.
 */
#pragma once

#include "base/ident.h"
#include "base/record.h"
#include "host/image.h"

#define CACHE_DIR "/var/lib/manor/cache"
#define CACHE_MAX_FILE (UINT64_C(1) << 30) /* a boot file is held in a guest's memory */
#define CACHE_MAX_FILES 4096               /* what a reading lists */

struct cache_file {
	struct record rec;
	uint64_t size;
	bool unpacked; /* SHA256.vmlinux is there, too */
};

struct cache_image {
	struct record rec;
	uint64_t size; /* of the disk */
	uint64_t held; /* bytes that it occupies */
};

struct cache_facts {
	struct record rec;
	struct map files; /* sha256 → struct cache_file; complete ones only */
	struct map images; /* sha256 → struct cache_image; the same */
};

/* Where it is, for tests to move. */
extern const char *cache_dir;

/* A folder that isn't there is an empty cache. Nothing is marked as set: see kinds/. */
int cache_read(struct arena *a, struct cache_facts *ret, struct err *e);
/* Fetches into the cache as `id` (its sha256, or what stands for that) unless it is there, and unpacks a
 * kernel. Of the request all but target, as_is and ready. Errors as image_write(), and nothing is left
 * behind. */
int cache_fetch(const char *id, const struct image_request *q, struct err *e);
/* The same of a disk image, unpacked and sparse. Of the request all but target, as_is and ready. */
int cache_fetch_image(const char *id, const struct image_request *q, struct err *e);
/* Where it lies; arena memory. */
const char *cache_image_path(struct arena *a, const char *id);
/* Whether it still is what it was when it was fetched, of that digest, and its unpacked form what comes out
 * of it. -EBADMSG: it isn't, and which of the two. */
int cache_check(const char *id, enum hash_type type, const char *digest, struct err *e);
/* Removes it and what lies beside it. Gone already is fine. */
int cache_remove(const char *id, struct err *e);
/* The same of a disk image: what was cloned from it stands by itself. */
int cache_remove_image(const char *id, struct err *e);
/* The kernel to hand to libxl for the one at `path` (in the cache or anywhere): an unpacked copy from
 * the cache, made if need be, or `path` itself where there is nothing to unpack or no room for it.
 * Arena memory. -ENOENT and other errors only for `path` itself. */
int cache_kernel(struct arena *a, const char *path, const char **ret, struct err *e);

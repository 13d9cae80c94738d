/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Disk images: fetched, hashed, decompressed and written sparsely in one pass, with no temporary
 * file and bounded memory. Compression is told by content: gzip, bzip2, xz, zstd, lz4, or none.
 */
#pragma once

#include "base/err.h"

/* Zeros are skipped in aligned pieces of this size, the smallest chunk of a thin pool. */
#define IMAGE_CHUNK (64u << 10)
/* More than this is no disk image; also the virtual size to begin with where it isn't known. */
#define IMAGE_MAX (UINT64_C(16) << 40)

struct image_request {
	const char *url;
	const char *sha256; /* of the file as downloaded */
	const char *target; /* a block device that reads as zeros, or an empty regular file */
	bool as_is;         /* no decompression, no look at what it is: a boot file */
	uint64_t max_size;  /* bytes that may come out; 0: IMAGE_MAX */
	uint64_t room;      /* bytes of data that there is room for; 0: not said */
	unsigned backoff_ms; /* see struct fetch_request */

	/* Called when the first bytes are there and look like an image, before `target` is opened: the
	 * place to make it, `size` bytes large. That is exact where the server or the compression says
	 * it, else as much as may come (max_size); once more, with max_size, when it said wrong. May be
	 * NULL. */
	int (*ready)(void *data, uint64_t size, struct err *e);
	/* Bytes downloaded; total 0: not known. May be NULL. */
	void (*progress)(void *data, uint64_t done, uint64_t total);
	void *data;
};

struct image_result {
	uint64_t downloaded;
	uint64_t size;    /* of the image: bytes that came out */
	uint64_t written; /* of these, bytes that weren't skipped as zeros */
};

/* Returns 0 when all of it is written and on stable storage, and its digest is the one asked for.
 * Otherwise what `target` holds must not be trusted, and the caller removes it:
 * -EBADMSG: another digest; -EFBIG: over max_size; -ENOSPC: over room, or the device is full;
 * -EILSEQ: the digest is right but it is no disk image that can be used; others are fetch's. */
int image_write(const struct image_request *q, struct image_result *ret, struct err *e);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Disk images: fetched, hashed, decompressed and written sparsely in one pass, in three threads that
 * wait for each other: memory stays bounded whatever the image's size. What it is is told by content:
 * gzip, bzip2, xz, zstd, lz4 or nothing around a raw image, a member of a tar archive (sparse ones
 * too), or what qemu-img converts, through a temporary file.
 */
#pragma once

#include "base/err.h"

/* More than this is no disk image; also the virtual size to begin with where it isn't known. */
#define IMAGE_MAX (UINT64_C(16) << 40)

enum image_format {
	IMAGE_AUTO, /* as its content says */
	IMAGE_RAW,
	IMAGE_TAR,
	IMAGE_QCOW2,
	IMAGE_VMDK,
	IMAGE_VHD,
	IMAGE_VHDX,
	IMAGE_OTHER, /* what is no disk's, or can't be read */
};
extern const char *const image_format_words[]; /* "auto", "raw", …, "vhdx", NULL */

struct image_request {
	const char *url;
	const char *const *mirrors; /* tried in order when the url fails; may be NULL */
	size_t n_mirrors;
	const char *sha256;       /* of the file as downloaded; NULL: see sha512 */
	const char *sha512;       /* the same; one of the two is there */
	const char *ca;           /* certificates to trust in place of the system's; may be NULL */
	unsigned time_limit_s;    /* for fetching; 0: none */
	unsigned slow_s;          /* see struct fetch_request */
	unsigned backoff_ms;      /* the same */
	enum image_format format; /* what it must be */

	const char *member; /* of a tar archive; NULL: the file itself */
	const char *target; /* a block device that reads as zeros, or an empty regular file */
	bool as_is;         /* no decompression (but of an archive), no look at what it is: a boot file */
	bool volatile_;     /* not onto stable storage: for those who measure */
	uint64_t max_size;  /* bytes that may come out; 0: IMAGE_MAX */
	uint64_t room;      /* bytes of data that there is room for; 0: not said */

	/* Called when the first bytes are there and look like an image, before `target` is opened: the
	 * place to make it, `size` bytes large. That is exact where the server or the compression says
	 * it, else as much as may come (max_size); once more, with max_size, when it said wrong. May be
	 * NULL. */
	int (*ready)(void *data, uint64_t size, struct err *e);
	/* Called when what is written so far is worthless and all begins anew (the file changed while it
	 * was fetched, or a mirror gave another one): `target` must be as it was before ready(). NULL:
	 * a file is made empty, a block device is an error. */
	int (*again)(void *data, struct err *e);
	/* Bytes downloaded; total 0: not known. May be NULL. Of the first request only. */
	void (*progress)(void *data, uint64_t done, uint64_t total);
	/* Asked with every block that is taken; false ends it with -ECANCELED. May be NULL. Of the first request
	 * only. */
	bool (*go_on)(void *data);
	void *data;

	/* Another member of the same archive, written in the same pass: of it member, target, as_is,
	 * max_size, room, ready, again and data count. */
	const struct image_request *also;
};

struct image_result {
	uint64_t downloaded;
	uint64_t size;    /* of the image: bytes that came out */
	uint64_t written; /* of these, bytes that weren't skipped as zeros */
};

/* Returns 0 when all of it is written and on stable storage, and its digest is the one asked for; `ret`
 * has an entry for `q` and each of those that follow it. Otherwise what the targets hold must not be
 * trusted, and the caller removes it:
 * -EBADMSG: another digest; -EFBIG: over max_size; -ENOSPC: over room, or the device is full;
 * -EILSEQ: the digest is right but it is no disk image that can be used; -EMEDIUMTYPE: nor what
 * `format` or `member` says; -ENXIO: it has no such member; -ENOPKG: qemu-img isn't installed; others
 * are fetch's. All callbacks come from the calling thread. */
int image_write(const struct image_request *q, struct image_result *ret, struct err *e);

/* Where images to be converted lie meanwhile, nameless; for tests to move. */
extern const char *image_scratch_dir;

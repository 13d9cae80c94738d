/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A disk to a file that image_write() (host/image.h) takes, and that travels: a raw image, as it is or
 * compressed, or the only member of a sparse tar archive. Reading, and looking for zeros, go on while
 * what came before is packed, hashed and written; memory stays bounded whatever the disk's size. The
 * same content gives the same file, byte for byte.
 */
#pragma once

#include "base/err.h"
#include "base/ident.h"

#define PACK_ENDING ".img.zst" /* where nobody says another */
/* By which a file's name says what it becomes: ".img.zst", ".img.gz", ".img", ".tar", ".tar.zst",
 * ".tar.gz"; NULL: by none of these. */
const char *pack_ending(const char *name);
/* Whether it is a tar archive, of which importing takes the member. */
bool pack_is_tar(const char *ending);

struct pack_request {
	const char *from;   /* a block device or a file, which nobody writes to meanwhile */
	const char *to;     /* the file; its name's ending says what it becomes */
	const char *member; /* of a tar archive: what the disk is called in it */
	bool replace;       /* a file that is there already */
	/* Asked with every few MiB: false ends it with -ECANCELED. `done` and `total` are bytes of the disk,
	 * read once, or twice where the map of an archive's holes comes first. May be NULL. */
	bool (*go_on)(void *data, uint64_t done, uint64_t total);
	/* The disk is open: whoever looks sees it in use. May be NULL. */
	void (*opened)(void *data);
	/* All of it is read, the file is whole and hasn't its name yet; the disk is still open. An error here
	 * keeps the file from appearing. May be NULL. */
	int (*read)(void *data, struct err *e);
	void *data;
};

struct pack_result {
	uint64_t size;  /* of the disk */
	uint64_t data;  /* of that, what isn't zeros, in pieces of SPARSE_CHUNK (host/image_sparse.h) */
	uint64_t file;  /* bytes of the file */
	char sha256[SHA256_TEXT]; /* of the file */
};

/* The file appears whole, on stable storage, or not at all (base/newfile.h); only its owner may read it,
 * for a disk holds secrets. -EEXIST: it is there; -EINVAL: its name's ending is none of ours, or it can't
 * be a file's; -ENOSPC; -ESTALE: the disk changed while it was read; others as the system says. */
int image_pack(const struct pack_request *q, struct pack_result *ret, struct err *e);

/* Extents of an archive's map of holes; above that nearby ones are joined. For tests to lower. */
extern size_t pack_map_max;

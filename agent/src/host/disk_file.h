/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Files that are guests' disks: sparse, made at once or not at all (a name appears when what it names is whole
 * and on stable storage), grown while in use, never removed here. A clone bears the digest of what it came from
 * (host/paths.h). And swap space, in whatever is there.
 */
#pragma once

#include "base/err.h"

struct disk_file_request {
	const char *path;  /* absolute; its folder must be there */
	uint64_t size;     /* bytes; with `from` at least as large as that, or 0: as large */
	const char *from;  /* a sparse image to clone, or NULL: all holes */
	const char *base;  /* its digest: the mark; NULL with `from` NULL */
	const char *kernel, *initrd; /* digests of the boot files that came with it; may be NULL */
	const char *swap;  /* make it swap space of this UUID; NULL: not */
	/* Of a copy, where the file system can't share blocks. May be NULL. */
	void (*progress)(void *data, uint64_t done, uint64_t total);
	void *data;
};

/* -EEXIST: something is there, and stays as it is; -ENOSPC, -ENOENT (no such folder) and others as the system
 * says. What a power cut leaves is ".NAME.manor-part", which the next call makes anew. */
int disk_file_make(const struct disk_file_request *q, struct err *e);
/* Out of the way, as PATH.SUFFIX; -EEXIST: something is called so. Not there is fine. */
int disk_file_aside(const char *path, const char *suffix, struct err *e);
/* To `size` bytes; larger already is fine. Whoever has it as a loop device is told. */
int disk_file_grow(const char *path, uint64_t size, struct err *e);
/* Writes a swap header over all of the device or file, whatever was there. `uuid` as text. */
#define SWAP_MIN (64u << 10)
int swap_make(const char *path, const char *uuid, struct err *e);

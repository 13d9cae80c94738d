/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Writing sparsely, in a thread of its own: what is given as data is looked through, and zeros stay
 * holes of the file or unmapped chunks of the thin volume.
 */
#pragma once

#include "base/err.h"

/* Zeros are left out in aligned pieces of this size: of a thin volume its smallest chunk, so that no more
 * of them are mapped than hold data; of a file its blocks. */
#define SPARSE_CHUNK (64u << 10)
#define SPARSE_PAGE  4096u

struct sparse;

struct sparse_request {
	const char *target; /* a block device that reads as zeros, or an empty regular file */
	uint64_t room;      /* bytes of data that there is room for; 0: not said */
	bool volatile_;     /* not onto stable storage: for those who measure */
};

/* Whether all of it is zero. */
bool sparse_zeros(const void *p, size_t n);

/* -EEXIST: the file isn't empty. The caller owns *ret. */
int sparse_open(const struct sparse_request *q, struct sparse **ret, struct err *e);
/* Offsets never go back; what lies between is zeros. -ENOSPC: over room, or what writes said, which may
 * be told later than it happened. */
int sparse_put(struct sparse *s, uint64_t to, const void *data, size_t n, struct err *e);
/* All is given: the length, and it is on stable storage. *ret_written: bytes that weren't left out. */
int sparse_finish(struct sparse *s, uint64_t size, uint64_t *ret_written, struct err *e);
void sparse_free(struct sparse *s); /* takes NULL, and one that isn't finished */
void sparse_freep(struct sparse **s);
#define _cleanup_sparse_ _cleanup_(sparse_freep)

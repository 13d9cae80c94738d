/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is packed in a stream of blocks (host/image_queue.h): gzip, bzip2, xz, zstd, lz4, told by content,
 * or nothing. Pulled.
 */
#pragma once

#include "base/err.h"
#include "host/image_queue.h"

struct unpack;

struct unpack_request {
	struct queue *from;
	const int *failed;
	bool as_is; /* hand it out as it is, packed or not */
	/* So many bytes went in by now; false: nobody wants more, -ECANCELED. May be NULL. */
	bool (*taken)(void *data, uint64_t n);
	void *data;
};

/* Waits for the first bytes, and unpacks until FORMAT_HEAD of them (host/image_format.h) are there.
 * -EILSEQ: broken, empty. -ECANCELED: the queue ended too early: whoever fills it knows why, and says so
 * by `failed` before it ends the queue. The caller owns *ret, also on failure. */
int unpack_open(const struct unpack_request *q, struct unpack **ret, struct err *e);
/* The next piece, valid until the next call, and so many zeros behind it. Neither: the end. */
int unpack_read(struct unpack *u, const void **ret, size_t *ret_n, uint64_t *ret_hole,
		struct err *e);
const char *unpack_head(const struct unpack *u, size_t *ret_n);   /* of what comes out */
const char *unpack_packed(const struct unpack *u, size_t *ret_n); /* of what goes in */
bool unpack_is_packed(const struct unpack *u);
uint64_t unpack_size(
	const struct unpack *u);    /* that will come out, as the packing says; 0: it doesn't */
void unpack_rest(struct unpack *u); /* takes the rest unread */
void unpack_free(struct unpack *u);
void unpack_freep(struct unpack **u);
#define _cleanup_unpack_ _cleanup_(unpack_freep)

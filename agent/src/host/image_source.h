/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A disk to be read sparsely: a thread reads ahead and looks for zeros; who pulls gets what isn't.
 */
#pragma once

#include "base/err.h"

struct source;

/* A block device or a regular file. The caller owns *ret. */
int source_open(const char *path, struct source **ret, struct err *e);
uint64_t source_size(const struct source *s);
/* From the beginning, also a second time. */
int source_start(struct source *s, struct err *e);
/* 1: the next piece, valid until the next call; all between the pieces is zeros. They are whole chunks
 * (SPARSE_CHUNK of host/image_sparse.h), each of which holds some byte that isn't zero. 1 with *ret_n 0:
 * only zeros since, up to *ret_at. 0: the end. -ESTALE: it became shorter. */
int source_next(struct source *s, uint64_t *ret_at, const void **ret, size_t *ret_n, struct err *e);
void source_free(struct source *s); /* takes NULL, also one that is read */
void source_freep(struct source **s);
#define _cleanup_source_ _cleanup_(source_freep)

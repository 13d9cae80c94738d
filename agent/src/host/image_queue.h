/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A bounded queue of blocks between two threads: who fills them waits while all are full, who takes them
 * while none is. The blocks are made once, so this is all the memory that passes between the two.
 */
#pragma once

#include <pthread.h>

#include "base/util.h"

#define BLOCK_BYTES   (512u << 10)
#define BLOCK_EXTENTS 64

struct extent {
	uint64_t to; /* where the next `n` bytes of the block belong */
	size_t n;
};

struct block {
	struct block *next;
	char *data; /* BLOCK_BYTES, of which n are used */
	size_t n;
	uint64_t hole; /* of a stream: so many zeros follow, and stand nowhere */
	struct extent extents[BLOCK_EXTENTS]; /* of what is written here and there */
	unsigned n_extents;
};

struct queue;

struct queue *queue_new(unsigned blocks);
/* The filling side: an empty block, and back with it. NULL: nobody takes any more. */
struct block *queue_blank(struct queue *q);
void queue_put(struct queue *q, struct block *b);
void queue_end(struct queue *q); /* no more will come */
/* The taking side. NULL: the end. */
struct block *queue_take(struct queue *q);
void queue_back(struct queue *q, struct block *b);
void queue_leave(struct queue *q); /* takes no more: both are told; what is filled is lost */
void queue_free(struct queue *q);  /* takes NULL; nobody may be using it */

/* A thread that no signal reaches: these are the process's first thread's, which holds them back where a
 * library must not be interrupted. */
int thread_start(pthread_t *ret, void *(*run)(void *), void *data);

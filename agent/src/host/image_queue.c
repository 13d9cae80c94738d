/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Blocks between two threads.
 */
#include "host/image_queue.h"

#include <signal.h>

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct block *blank;
	struct block *first, *last; /* filled, in order */
	bool ended, left;
	unsigned n;
	struct block blocks[];
};

struct queue *queue_new(unsigned blocks)
{
	struct queue *q = xcalloc(1, sizeof(*q) + blocks * sizeof(struct block));

	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->changed, NULL);
	q->n = blocks;
	for (unsigned i = 0; i < blocks; i++) {
		struct block *b = &q->blocks[i];

		b->data = aligned_alloc(4096, BLOCK_BYTES); /* its pages come when it is used */
		if (!b->data)
			abort();
		b->next = q->blank;
		q->blank = b;
	}
	return q;
}

struct block *queue_blank(struct queue *q)
{
	struct block *b = NULL;

	pthread_mutex_lock(&q->lock);
	while (!q->blank && !q->left)
		pthread_cond_wait(&q->changed, &q->lock);
	if (!q->left) {
		b = q->blank;
		q->blank = b->next;
	}
	pthread_mutex_unlock(&q->lock);
	if (b) {
		b->next = NULL;
		b->n = 0;
		b->hole = 0;
		b->n_extents = 0;
	}
	return b;
}

static void add(struct queue *q, struct block *b, bool filled)
{
	pthread_mutex_lock(&q->lock);
	if (!filled) {
		b->next = q->blank;
		q->blank = b;
	} else if (q->last) {
		q->last->next = b;
		q->last = b;
	} else {
		q->first = q->last = b;
	}
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

void queue_put(struct queue *q, struct block *b)
{
	add(q, b, true);
}

void queue_back(struct queue *q, struct block *b)
{
	add(q, b, false);
}

static void flag(struct queue *q, bool *which)
{
	pthread_mutex_lock(&q->lock);
	*which = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

void queue_end(struct queue *q)
{
	flag(q, &q->ended);
}

void queue_leave(struct queue *q)
{
	flag(q, &q->left);
}

struct block *queue_take(struct queue *q)
{
	struct block *b;

	pthread_mutex_lock(&q->lock);
	while (!q->first && !q->ended && !q->left)
		pthread_cond_wait(&q->changed, &q->lock);
	b = q->left ? NULL : q->first;
	if (b) {
		q->first = b->next;
		if (!q->first)
			q->last = NULL;
		b->next = NULL;
	}
	pthread_mutex_unlock(&q->lock);
	return b;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	for (unsigned i = 0; i < q->n; i++)
		free(q->blocks[i].data);
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

int thread_start(pthread_t *ret, void *(*run)(void *), void *data)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(ret, NULL, run, data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

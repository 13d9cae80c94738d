/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Sparse writing. Whoever gives the data looks for zeros (it is in the processor's cache then) and
 * gathers the rest in blocks; the thread writes these, and has them written back as it goes, so that
 * little of dom0's memory is dirty and the last fsync is short.
 */
#include "host/image_sparse.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/num.h"
#include "host/image_queue.h"

#define SECTOR   512u
#define BLOCKS   12
#define SYNC_RUN (32u << 20) /* so much is written back at a time */

struct sparse {
	struct sparse_request q;
	int fd;
	bool block;       /* a device, not a file */
	size_t grain;

	struct queue *queue;
	pthread_t thread;
	bool running;

	uint64_t at;      /* where the next byte belongs; a multiple of grain while part is empty */
	char *part;       /* the beginning of a grain that isn't whole yet */
	size_t n_part;
	struct block *b;  /* being filled */
	uint64_t written;

	int failed;       /* the thread's verdict, once it has ended */
	struct err error;
	/* The thread's own: */
	uint64_t begun, ended; /* up to where writing back was begun; and has ended */
	uint64_t pending;      /* bytes since */
};

typedef uint64_t words __attribute__((vector_size(16), aligned(1), may_alias));

bool sparse_zeros(const void *p, size_t n)
{
	const char *c = p;
	const words *w = p;

	for (; n >= 8 * sizeof(*w); n -= 8 * sizeof(*w), w += 8) {
		words x = w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7];

		if (x[0] | x[1])
			return false;
	}
	for (c = (const char *)w; n > 0; n--, c++)
		if (*c)
			return false;
	return true;
}

/* Begins writing back what is new, waits for what was begun before, and drops that from memory. */
static int write_back(struct sparse *s, uint64_t upto, size_t n, struct err *e)
{
	s->pending += n;
	if (s->pending < SYNC_RUN || s->q.volatile_)
		return 0;
	s->pending = 0;
	sync_file_range(s->fd, (off64_t)s->begun, (off64_t)(upto - s->begun),
			SYNC_FILE_RANGE_WRITE);
	if (s->begun > s->ended) {
		if (sync_file_range(s->fd, (off64_t)s->ended, (off64_t)(s->begun - s->ended),
				    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
					    SYNC_FILE_RANGE_WAIT_AFTER) < 0 &&
		    errno != ENOSYS && errno != EINVAL)
			return err_errno(e, -errno, "write %s", s->q.target);
		posix_fadvise(s->fd, (off_t)s->ended, (off_t)(s->begun - s->ended),
			      POSIX_FADV_DONTNEED);
	}
	s->ended = s->begun;
	s->begun = upto;
	return 0;
}

static int write_extent(struct sparse *s, const char *p, struct extent x, struct err *e)
{
	size_t n = x.n;

	while (n > 0) {
		ssize_t r = pwrite(s->fd, p, n, (off_t)x.to);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_errno(e, -errno, "write %s", s->q.target);
		p += r;
		x.to += (uint64_t)r;
		n -= (size_t)r;
	}
	return write_back(s, x.to, x.n, e);
}

static void *write_all(void *data)
{
	struct sparse *s = data;
	struct block *b;

	while (s->failed == 0 && (b = queue_take(s->queue))) {
		const char *p = b->data;

		for (unsigned i = 0; s->failed == 0 && i < b->n_extents; i++) {
			s->failed = write_extent(s, p, b->extents[i], &s->error);
			p += b->extents[i].n;
		}
		queue_back(s->queue, b);
	}
	queue_leave(s->queue);
	return NULL;
}

/* Waits for the thread: all that was given is written, or it has failed. */
static int settle(struct sparse *s, struct err *e)
{
	if (s->running) {
		if (s->b)
			queue_put(s->queue, s->b);
		s->b = NULL;
		queue_end(s->queue);
		pthread_join(s->thread, NULL);
		s->running = false;
	}
	if (s->failed < 0 && s->error.message)
		err_move(e, &s->error);
	return s->failed;
}

/* Into the block at hand: one extent with what stands right before it. */
static int gather(struct sparse *s, uint64_t to, const char *p, size_t n, struct err *e)
{
	char size[NUM_TEXT];

	if (s->q.room && s->written + n > s->q.room)
		return err_set(e, -ENOSPC, "the image has more data than there is room for (%s)",
			       num_size(size, s->q.room));
	s->written += n;
	while (n > 0) {
		struct extent *x;
		size_t piece;

		if (s->b && s->b->n == BLOCK_BYTES) {
			queue_put(s->queue, s->b);
			s->b = NULL;
		}
		if (!s->b)
			s->b = queue_blank(s->queue);
		if (!s->b) /* the thread has given up */
			return settle(s, e);
		x = s->b->n_extents ? &s->b->extents[s->b->n_extents - 1] : NULL;
		if (!x || x->to + x->n != to) {
			if (s->b->n_extents == BLOCK_EXTENTS) {
				queue_put(s->queue, s->b);
				s->b = NULL;
				continue;
			}
			x = &s->b->extents[s->b->n_extents++];
			*x = (struct extent){.to = to};
		}
		piece = MIN_OF(n, (size_t)BLOCK_BYTES - s->b->n);
		memcpy(s->b->data + s->b->n, p, piece);
		s->b->n += piece;
		x->n += piece;
		to += piece;
		p += piece;
		n -= piece;
	}
	return 0;
}

/* The grain that isn't whole, as far as it goes; a device knows whole sectors only. */
static int put_part(struct sparse *s, struct err *e)
{
	size_t n = s->n_part, left = s->block && n % SECTOR ? SECTOR - n % SECTOR : 0;
	uint64_t to = s->at - n;

	s->n_part = 0;
	memset(s->part + n, 0, left);
	return sparse_zeros(s->part, n) ? 0 : gather(s, to, s->part, n + left, e);
}

static int move_to(struct sparse *s, uint64_t to, struct err *e)
{
	int r;

	if (to < s->at)
		return err_set(e, -EILSEQ, "its map of holes goes back");
	if (s->n_part > 0 && to / s->grain > (s->at - s->n_part) / s->grain) {
		r = put_part(s, e);
		if (r < 0)
			return r;
	}
	if (s->n_part == 0)
		s->at = to - to % s->grain;
	memset(s->part + s->n_part, 0, (size_t)(to - s->at));
	s->n_part += (size_t)(to - s->at);
	s->at = to;
	return 0;
}

int sparse_put(struct sparse *s, uint64_t to, const void *data, size_t n, struct err *e)
{
	const char *p = data;
	int r = to != s->at ? move_to(s, to, e) : 0;

	while (r == 0 && n > 0) {
		size_t run = 0, piece;

		if (s->n_part > 0 || n < s->grain) {
			piece = MIN_OF(n, s->grain - s->n_part);
			memcpy(s->part + s->n_part, p, piece);
			s->n_part += piece;
			s->at += piece;
			p += piece;
			n -= piece;
			if (s->n_part == s->grain)
				r = put_part(s, e);
			continue;
		}
		while (n - run >= s->grain && !sparse_zeros(p + run, s->grain))
			run += s->grain;
		if (run > 0)
			r = gather(s, s->at, p, run, e);
		piece = n - run >= s->grain ? s->grain : 0; /* that was zeros */
		s->at += run + piece;
		p += run + piece;
		n -= run + piece;
	}
	return r;
}

int sparse_finish(struct sparse *s, uint64_t size, uint64_t *ret_written, struct err *e)
{
	int r = s->n_part > 0 ? put_part(s, e) : 0;

	if (r == 0)
		r = settle(s, e);
	if (r < 0)
		return r;
	if (!s->block && ftruncate(s->fd, (off_t)size) < 0)
		return err_errno(e, -errno, "set the size of %s", s->q.target);
	if (!s->q.volatile_ && fsync(s->fd) < 0)
		return err_errno(e, -errno, "write %s", s->q.target);
	*ret_written = s->written;
	return 0;
}

static int open_target(struct sparse *s, struct err *e)
{
	struct stat st;

	s->fd = open(s->q.target, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (s->fd < 0)
		return err_errno(e, -errno, "open %s", s->q.target);
	if (fstat(s->fd, &st) < 0)
		return err_errno(e, -errno, "stat %s", s->q.target);
	s->block = S_ISBLK(st.st_mode);
	if (!s->block && !S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s is neither a block device nor a file", s->q.target);
	if (!s->block && st.st_size > 0) /* zeros are skipped, so old bytes would shine through */
		return err_set(e, -EEXIST, "%s is not empty", s->q.target);
	return 0;
}

int sparse_open(const struct sparse_request *q, struct sparse **ret, struct err *e)
{
	_cleanup_sparse_ struct sparse *s = xcalloc(1, sizeof(*s));
	int r;

	s->q = *q;
	s->fd = -1;
	r = open_target(s, e);
	if (r < 0)
		return r;
	s->grain = s->block ? SPARSE_CHUNK : SPARSE_PAGE;
	s->part = xcalloc(1, s->grain);
	s->queue = queue_new(BLOCKS);
	r = thread_start(&s->thread, write_all, s);
	if (r < 0)
		return err_errno(e, r, "start a thread");
	s->running = true;
	*ret = s;
	s = NULL;
	return 0;
}

void sparse_free(struct sparse *s)
{
	if (!s)
		return;
	if (s->running) {
		if (s->b)
			queue_back(s->queue, s->b);
		queue_leave(s->queue);
		queue_end(s->queue);
		pthread_join(s->thread, NULL);
	}
	queue_free(s->queue);
	free(s->part);
	err_done(&s->error);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

void sparse_freep(struct sparse **s)
{
	sparse_free(*s);
}

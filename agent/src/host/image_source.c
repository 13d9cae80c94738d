/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reading sparsely. A block of the queue is read as it lies on the disk, and its extents say which of it
 * isn't zeros: nothing is copied, and what is all zeros isn't handed on. What of a thin volume isn't
 * mapped the kernel fills in at memory's speed; holes of a file are passed over.
 */
#include "host/image_source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "host/image_queue.h"
#include "host/image_sparse.h"

#define BLOCKS     8
#define TELL_ZEROS (32u << 20) /* so many zeros are told of, for who wants to know how far it is */
#define FORGET     (32u << 20) /* what was read is of no use to dom0 again */

struct source {
	char *path;
	int fd;
	bool file;
	uint64_t size;

	struct queue *queue;
	pthread_t thread;
	bool running;
	struct block *b; /* handed out, with the next of its extents */
	unsigned extent;

	int failed; /* the thread's verdict, once it has ended */
	struct err error;
};

int source_open(const char *path, struct source **ret, struct err *e)
{
	_cleanup_source_ struct source *s = xcalloc(1, sizeof(*s));
	struct stat st;

	s->path = xstrdup(path);
	s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return err_errno(e, -errno, "open %s", path);
	s->file = S_ISREG(st.st_mode);
	s->size = (uint64_t)st.st_size;
	if (!s->file && !S_ISBLK(st.st_mode))
		return err_set(e, -EINVAL, "%s is neither a block device nor a file", path);
	if (!s->file && ioctl(s->fd, BLKGETSIZE64, &s->size) < 0)
		return err_errno(e, -errno, "ask for the size of %s", path);
	posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	*ret = s;
	s = NULL;
	return 0;
}

uint64_t source_size(const struct source *s)
{
	return s->size;
}

/* Where there may be data, from `at` on. */
static uint64_t skip_hole(const struct source *s, uint64_t at)
{
	off_t data = s->file ? lseek(s->fd, (off_t)at, SEEK_DATA) : (off_t)at;

	if (data < 0)
		return errno == ENXIO ? s->size : at;
	return MAX_OF(at, (uint64_t)data - (uint64_t)data % SPARSE_CHUNK);
}

static int read_block(struct source *s, struct block *b, uint64_t at)
{
	size_t want = (size_t)MIN_OF((uint64_t)BLOCK_BYTES, s->size - at);

	while (b->n < want) {
		ssize_t n = pread(s->fd, b->data + b->n, want - b->n, (off_t)(at + b->n));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(&s->error, -errno, "read %s", s->path);
		if (n == 0)
			return err_set(&s->error, -ESTALE, "%s became shorter while it was read",
				       s->path);
		b->n += (size_t)n;
	}
	return 0;
}

/* What isn't zeros, as extents of the block; neighbours are one. */
static void find_data(struct block *b, uint64_t at)
{
	for (size_t i = 0; i < b->n; i += SPARSE_CHUNK) {
		size_t n = MIN_OF((size_t)SPARSE_CHUNK, b->n - i);
		struct extent *last = b->n_extents ? &b->extents[b->n_extents - 1] : NULL;

		if (sparse_zeros(b->data + i, n))
			continue;
		if (last && last->to + last->n == at + i)
			last->n += n;
		else
			b->extents[b->n_extents++] = (struct extent){at + i, n};
	}
}

static void *read_all(void *data)
{
	struct source *s = data;
	uint64_t at = 0, told = 0, forgotten = 0;
	struct block *b = NULL;

	while (s->failed == 0 && (at = skip_hole(s, at)) < s->size) {
		if (!b)
			b = queue_blank(s->queue);
		if (!b)
			break;
		b->n = 0;
		s->failed = read_block(s, b, at);
		if (s->failed < 0)
			break;
		find_data(b, at);
		at += b->n;
		if (b->n_extents || at - told >= TELL_ZEROS) {
			b->hole = at; /* how far this is */
			queue_put(s->queue, b);
			b = NULL;
			told = at;
		}
		if (at - forgotten >= FORGET) {
			posix_fadvise(s->fd, (off_t)forgotten, (off_t)(at - forgotten),
				      POSIX_FADV_DONTNEED);
			forgotten = at;
		}
	}
	if (b)
		queue_back(s->queue, b);
	queue_end(s->queue);
	return NULL;
}

static void end(struct source *s)
{
	if (s->b)
		queue_back(s->queue, s->b);
	s->b = NULL;
	if (s->running) {
		queue_leave(s->queue);
		pthread_join(s->thread, NULL);
	}
	s->running = false;
	queue_free(s->queue);
	s->queue = NULL;
}

int source_start(struct source *s, struct err *e)
{
	int r;

	end(s);
	s->queue = queue_new(BLOCKS);
	r = thread_start(&s->thread, read_all, s);
	if (r < 0)
		return err_errno(e, r, "start a thread");
	s->running = true;
	return 0;
}

int source_next(struct source *s, uint64_t *ret_at, const void **ret, size_t *ret_n, struct err *e)
{
	const struct extent *x;
	uint64_t begun;

	if (s->b && s->extent >= s->b->n_extents) {
		queue_back(s->queue, s->b);
		s->b = NULL;
	}
	if (!s->b && s->running) {
		s->b = queue_take(s->queue);
		s->extent = 0;
	}
	if (!s->b) {
		if (s->running)
			pthread_join(s->thread, NULL);
		s->running = false;
		if (s->failed < 0 && s->error.message)
			err_move(e, &s->error);
		return s->failed;
	}
	*ret_n = 0;
	*ret_at = s->b->hole;
	if (s->b->n_extents == 0)
		return 1;
	begun = s->b->hole - s->b->n;
	x = &s->b->extents[s->extent++];
	*ret_at = x->to;
	*ret = s->b->data + (x->to - begun);
	*ret_n = x->n;
	return 1;
}

void source_free(struct source *s)
{
	if (!s)
		return;
	end(s);
	err_done(&s->error);
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s);
}

void source_freep(struct source **s)
{
	source_free(*s);
}

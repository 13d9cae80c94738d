/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Copying within the kernel (copy_file_range(2)) where both ends are files of one sort, by reading and
 * writing elsewhere.
 */
#include "host/image_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define PIECE  (8u << 20)
#define BUFFER (1u << 20)

struct copy {
	const struct copy_request *q;
	int from, to;
	bool by_hand; /* the kernel doesn't do it between these two */
	char *buf;
	uint64_t size, written;
};

static int by_hand(struct copy *c, uint64_t at, size_t n, struct err *e)
{
	ssize_t r;

	if (!c->buf)
		c->buf = xcalloc(1, BUFFER);
	r = pread(c->from, c->buf, MIN_OF(n, (size_t)BUFFER), (off_t)at);
	if (r < 0)
		return err_errno(e, -errno, "read %s", c->q->from);
	n = (size_t)r;
	for (size_t done = 0; done < n; done += (size_t)r) {
		r = pwrite(c->to, c->buf + done, n - done, (off_t)(at + done));
		if (r < 0)
			return err_errno(e, -errno, "write %s", c->q->target);
	}
	return (int)n;
}

/* Some of it: how much, at most `n`; 0 at the end of the file. */
static int some(struct copy *c, uint64_t at, size_t n, struct err *e)
{
	off_t in = (off_t)at, out = (off_t)at;
	ssize_t r;

	if (c->by_hand)
		return by_hand(c, at, n, e);
	r = copy_file_range(c->from, &in, c->to, &out, n, 0);
	if (r >= 0)
		return (int)r;
	if (errno == EINTR || errno == EAGAIN)
		return some(c, at, n, e);
	if (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP ||
	    errno == EPERM) {
		c->by_hand = true;
		return by_hand(c, at, n, e);
	}
	return err_errno(e, -errno, "copy %s to %s", c->q->from, c->q->target);
}

static int copy_extent(struct copy *c, uint64_t at, uint64_t end, struct err *e)
{
	while (at < end) {
		int r = some(c, at, (size_t)MIN_OF(end - at, (uint64_t)PIECE), e);

		if (r < 0)
			return r;
		if (r == 0)
			return err_set(e, -ESTALE, "%s became shorter while it was copied",
				       c->q->from);
		at += (uint64_t)r;
		c->written += (uint64_t)r;
		if (c->q->progress)
			c->q->progress(c->q->data, at, c->size);
	}
	return 0;
}

static int copy_all(struct copy *c, struct err *e)
{
	uint64_t at = 0;

	while (at < c->size) {
		off_t data = lseek(c->from, (off_t)at, SEEK_DATA), hole;
		int r;

		if (data < 0 && errno == ENXIO)
			return 0;
		if (data < 0) /* a file system that knows no holes */
			return copy_extent(c, at, c->size, e);
		hole = lseek(c->from, data, SEEK_HOLE);
		at = hole > data ? MIN_OF((uint64_t)hole, c->size) : c->size;
		r = copy_extent(c, (uint64_t)data, at, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_both(struct copy *c, bool *ret_file, struct err *e)
{
	struct stat st;

	c->from = open(c->q->from, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (c->from < 0 || fstat(c->from, &st) < 0)
		return err_errno(e, -errno, "open %s", c->q->from);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s is not a regular file", c->q->from);
	c->size = (uint64_t)st.st_size;
	c->to = open(c->q->target, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (c->to < 0 || fstat(c->to, &st) < 0)
		return err_errno(e, -errno, "open %s", c->q->target);
	*ret_file = S_ISREG(st.st_mode);
	if (!*ret_file && !S_ISBLK(st.st_mode))
		return err_set(e, -EINVAL, "%s is neither a block device nor a file", c->q->target);
	if (*ret_file && st.st_size > 0) /* holes are skipped, so old bytes would shine through */
		return err_set(e, -EEXIST, "%s is not empty", c->q->target);
	c->by_hand = !*ret_file;
	return 0;
}

int image_copy(const struct copy_request *q, uint64_t *ret_written, struct err *e)
{
	struct copy c = {.q = q, .from = -1, .to = -1};
	bool file = false;
	int r = open_both(&c, &file, e);

	if (r == 0 && !(file && ioctl(c.to, FICLONE, c.from) == 0)) {
		if (file && ftruncate(c.to, (off_t)c.size) < 0)
			r = err_errno(e, -errno, "set the size of %s", q->target);
		else
			r = copy_all(&c, e);
	}
	if (r == 0 && !q->volatile_ && fsync(c.to) < 0)
		r = err_errno(e, -errno, "write %s", q->target);
	if (c.from >= 0)
		close(c.from);
	if (c.to >= 0)
		close(c.to);
	free(c.buf);
	if (r == 0)
		*ret_written = c.written;
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reading with a limit; writing so that a power cut leaves the old file or the new one.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static int read_all(const char *path, bool plain, size_t max, char **ret, size_t *ret_n,
		    struct err *e)
{
	_cleanup_(closep) int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (plain ? O_NONBLOCK : 0));
	_cleanup_(freep) char *text = NULL;
	size_t n = 0, cap = 4096;
	struct stat st;

	if (fd < 0)
		return err_errno(e, -errno, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_errno(e, -errno, "stat %s", path);
	if (S_ISDIR(st.st_mode))
		return err_errno(e, -EISDIR, "read %s", path);
	if (plain && !S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s is no regular file", path);
	/* /proc and pipes say 0: the size is a hint only. */
	if (st.st_size > 0 && (size_t)st.st_size <= max)
		cap = (size_t)st.st_size + 1;
	text = xcalloc(1, cap + 1);
	for (;;) {
		ssize_t r;

		if (n == cap) {
			cap *= 2;
			text = xrealloc(text, cap + 1, 1);
		}
		r = read(fd, text + n, cap - n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_errno(e, -errno, "read %s", path);
		if (r == 0)
			break;
		n += (size_t)r;
		if (n > max)
			return err_set(e, -EFBIG, "%s is larger than %zu bytes", path, max);
	}
	text[n] = '\0';
	*ret = text;
	text = NULL;
	if (ret_n)
		*ret_n = n;
	return 0;
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_n, struct err *e)
{
	return read_all(path, false, max, ret, ret_n, e);
}

int file_read_plain(const char *path, size_t max, char **ret, size_t *ret_n, struct err *e)
{
	return read_all(path, true, max, ret, ret_n, e);
}

int file_write_all(int fd, const void *data, size_t n)
{
	const char *from = data;

	while (n > 0) {
		ssize_t r = write(fd, from, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		from += r;
		n -= (size_t)r;
	}
	return 0;
}

int file_sync_dir(const char *path, struct err *e)
{
	_cleanup_(freep) char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');
	_cleanup_(closep) int fd = -1;

	if (slash == dir)
		slash[1] = '\0';
	else if (slash)
		*slash = '\0';
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, -errno, "open %s", slash ? dir : ".");
	if (fsync(fd) < 0)
		return err_errno(e, -errno, "sync %s", slash ? dir : ".");
	return 0;
}

int file_write(const char *path, const void *data, size_t n, int mode, struct err *e)
{
	_cleanup_(freep) char *temporary = xasprintf("%s.XXXXXX", path);
	_cleanup_(closep) int fd = mkostemp(temporary, O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_errno(e, -errno, "create %s", temporary);
	r = file_write_all(fd, data, n);
	if (r == 0 && fchmod(fd, (mode_t)mode) < 0)
		r = -errno;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(temporary);
		return err_errno(e, r, "write %s", path);
	}
	return file_sync_dir(path, e);
}

int file_mkdirs(const char *path, int mode, struct err *e)
{
	_cleanup_(freep) char *p = xstrdup(path);

	for (char *s = p + 1;; s++) {
		char c = *s;

		if (c != '/' && c != '\0')
			continue;
		*s = '\0';
		if (mkdir(p, (mode_t)mode) < 0 && errno != EEXIST)
			return err_errno(e, -errno, "create folder %s", p);
		*s = c;
		if (c == '\0')
			return 0;
	}
}

int file_remove(const char *path, struct err *e)
{
	if (unlink(path) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_errno(e, -errno, "remove %s", path);
	}
	return file_sync_dir(path, e);
}

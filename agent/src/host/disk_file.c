/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Disk files, by way of a temporary name beside them.
 */
#include "host/disk_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <uuid/uuid.h>

#include "base/file.h"
#include "base/ident.h"
#include "host/image_copy.h"
#include "host/loop.h"
#include "host/paths.h"

#define PART  "manor-part"
#define PAGE  4096u
#define MAGIC "SWAPSPACE2"

/* "/srv/.web.img.manor-part" of "/srv/web.img". */
static char *part_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return xasprintf("%.*s/.%s." PART, (int)(slash - path), path, slash + 1);
}

static int fill(const struct disk_file_request *q, const char *part, struct err *e)
{
	struct copy_request copy = {
		.from = q->from,
		.target = part,
		.progress = q->progress,
		.data = q->data,
	};
	uint64_t written;
	struct stat st;
	int r;

	if (q->from) {
		r = image_copy(&copy, &written, e);
		if (r < 0)
			return r;
		if (stat(part, &st) < 0)
			return err_errno(e, -errno, "%s", part);
		if (q->size && q->size < (uint64_t)st.st_size)
			return err_set(e, -EINVAL, "%s is larger than that", q->from);
	}
	if (q->size && truncate(part, (off_t)q->size) < 0)
		return err_errno(e, -errno, "make it %llu bytes large",
				 (unsigned long long)q->size);
	return q->swap ? swap_make(part, q->swap, e) : 0;
}

static int mark(const struct disk_file_request *q, const char *part, int fd, struct err *e)
{
	const char *marks[][2] = {{PATH_BASE_ATTRIBUTE, q->base},
				  {PATH_KERNEL_ATTRIBUTE, q->kernel},
				  {PATH_INITRD_ATTRIBUTE, q->initrd}};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		int r;

		if (!marks[i][1] ||
		    fsetxattr(fd, marks[i][0], marks[i][1], strlen(marks[i][1]), 0) == 0)
			continue;
		r = err_errno(e, -errno, "note on %s what it came from", part);
		if (r == -EOPNOTSUPP)
			err_help(e, "its file system takes no extended attributes: ext4, xfs and "
				    "btrfs do");
		return r;
	}
	return fsync(fd) < 0 ? err_errno(e, -errno, "write %s", part) : 0;
}

/* What is there already is never replaced. */
static int appear(const char *part, const char *path, struct err *e)
{
	int r = renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) < 0 ? -errno : 0;

	if (r == -EINVAL || r == -ENOSYS) { /* a file system that can't: the older way */
		r = link(part, path) < 0 ? -errno : 0;
		if (r == 0)
			unlink(part);
	}
	if (r == -EEXIST)
		return err_set(e, r, "%s is there by now", path);
	return r < 0 ? err_errno(e, r, "rename %s to %s", part, path) : file_sync_dir(path, e);
}

int disk_file_make(const struct disk_file_request *q, struct err *e)
{
	_cleanup_(freep) char *part = NULL;
	_cleanup_(closep) int fd = -1;
	struct stat st;
	int r;

	if (q->path[0] != '/')
		return err_set(e, -EINVAL, "%s is no absolute path", q->path);
	if (lstat(q->path, &st) == 0)
		return err_set(e, -EEXIST, "%s is there by now", q->path);
	part = part_of(q->path);
	if (unlink(part) < 0 && errno != ENOENT)
		return err_errno(e, -errno, "remove %s", part);
	fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(e, -errno, "create %s", part);
	r = fill(q, part, e);
	if (r == 0)
		r = mark(q, part, fd, e);
	if (r == 0)
		r = appear(part, q->path, e);
	if (r < 0)
		unlink(part);
	return r;
}

int disk_file_aside(const char *path, const char *suffix, struct err *e)
{
	_cleanup_(freep) char *to = xasprintf("%s.%s", path, suffix);

	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	return appear(path, to, e);
}

static int tell(void *data, int fd, const char *path, const struct loop_info64 *info)
{
	return loop_resize(path);
}

int disk_file_grow(const char *path, uint64_t size, struct err *e)
{
	_cleanup_(closep) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, -errno, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s is not a regular file", path);
	if ((uint64_t)st.st_size < size) {
		if (ftruncate(fd, (off_t)size) < 0 || fsync(fd) < 0)
			return err_errno(e, -errno, "make %s larger", path);
	}
	r = loop_each(&st, tell, NULL);
	return r < 0 ? err_errno(e, r, "tell its user that %s is larger", path) : 0;
}

/* union swap_header of the kernel's include/linux/swap.h, version 1: at 1024 version, last page, number of bad
 * pages, UUID, label; the magic ends the first page. In the machine's byte order. */
int swap_make(const char *path, const char *uuid, struct err *e)
{
	_cleanup_(closep) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	unsigned char page[PAGE] = {0};
	uint32_t info[3] = {1};
	uint64_t size = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, -errno, "open %s", path);
	size = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, &size) < 0)
		return err_errno(e, -errno, "ask %s for its size", path);
	if (size < SWAP_MIN)
		return err_set(e, -EINVAL, "%s is too small for swap space", path);
	info[1] = (uint32_t)MIN_OF(size / PAGE - 1, (uint64_t)UINT32_MAX);
	memcpy(page + 1024, info, sizeof(info));
	if (uuid_parse(uuid, page + 1024 + sizeof(info)) < 0)
		return err_set(e, -EINVAL, "'%s' is no UUID", uuid);
	memcpy(page + PAGE - strlen(MAGIC), MAGIC, strlen(MAGIC));
	if (pwrite(fd, page, PAGE, 0) != PAGE || fsync(fd) < 0)
		return err_errno(e, errno ? -errno : -EIO, "write %s", path);
	return 0;
}

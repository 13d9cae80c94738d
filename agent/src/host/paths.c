/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Paths by stat(2). Devices are opened to ask for their sizes, and files for their first bytes.
 */
#include "host/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/ident.h"
#include "host/image_format.h"

const char *const path_type_words[] = {"absent", "file", "device", "folder", "other", NULL};

static const char *id_of(struct arena *a, const struct stat *st)
{
	if (S_ISBLK(st->st_mode))
		return arena_printf(a, "device %u:%u", major(st->st_rdev), minor(st->st_rdev));
	return arena_printf(a, "file %u:%u %llu", major(st->st_dev), minor(st->st_dev),
			    (unsigned long long)st->st_ino);
}

const char *path_id(struct arena *a, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? id_of(a, &st) : NULL;
}

static const char *folder_of(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash > path ? arena_strndup(a, path, (size_t)(slash - path)) : "/";
}

static void read_device(struct path_state *s)
{
	_cleanup_(closep) int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int read_only = 0;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &s->size) < 0)
		s->size = 0;
	if (fd >= 0 && ioctl(fd, BLKROGET, &read_only) == 0)
		s->read_only = read_only;
}

static const char *mark_of(struct arena *a, const char *path, const char *attribute)
{
	char mark[SHA256_TEXT];
	ssize_t n = getxattr(path, attribute, mark, sizeof(mark));

	return n == SHA256_TEXT - 1 ? arena_strndup(a, mark, (size_t)n) : NULL;
}

/* Handed to a guest as it is, such a file is no disk, and the first write spoils it. */
static const char *format_at(const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char head[FORMAT_HEAD];
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head));
	enum image_format f = n > 0 ? format_of(head, (size_t)n)->format : IMAGE_RAW;

	return f == IMAGE_QCOW2 || f == IMAGE_VMDK || f == IMAGE_VHD || f == IMAGE_VHDX
		       ? image_format_words[f]
		       : NULL;
}

static void read_file(struct arena *a, struct path_state *s, const struct stat *st)
{
	s->size = (uint64_t)st->st_size;
	s->held = (uint64_t)st->st_blocks * 512;
	s->format = format_at(s->path);
	s->base = mark_of(a, s->path, PATH_BASE_ATTRIBUTE);
	s->kernel = mark_of(a, s->path, PATH_KERNEL_ATTRIBUTE);
	s->initrd = mark_of(a, s->path, PATH_INITRD_ATTRIBUTE);
}

static struct path_state *read_one(struct arena *a, const char *path)
{
	struct path_state *s = arena_alloc(a, sizeof(*s));
	const char *folder = folder_of(a, path);
	struct statvfs fs;
	struct stat st;

	s->path = arena_strdup(a, path);
	s->folder = stat(folder, &st) == 0 && S_ISDIR(st.st_mode);
	if (s->folder && statvfs(folder, &fs) == 0) {
		s->free = (uint64_t)fs.f_bfree * fs.f_frsize;
		s->read_only = fs.f_flag & ST_RDONLY;
	}
	if (stat(path, &st) < 0) {
		int why = errno;

		/* A link to nothing is not absent: what is created would appear elsewhere. */
		if (why == ENOENT && lstat(path, &st) == 0)
			s->why = "it is a link to what isn't there";
		else if (why != ENOENT && why != ENOTDIR)
			s->why = arena_strdup(a, strerror(why));
		return s;
	}
	s->type = S_ISREG(st.st_mode)   ? PATH_FILE
		  : S_ISBLK(st.st_mode) ? PATH_DEVICE
		  : S_ISDIR(st.st_mode) ? PATH_FOLDER
					: PATH_OTHER;
	if (s->type == PATH_FILE || s->type == PATH_DEVICE)
		s->id = id_of(a, &st);
	if (s->type == PATH_DEVICE)
		read_device(s);
	else if (s->type == PATH_FILE)
		read_file(a, s, &st);
	return s;
}

int paths_read(struct arena *a, const struct list *paths, struct path_facts *ret, struct err *e)
{
	struct list all = {0};

	if (paths->n > PATHS_MAX)
		return err_set(e, -E2BIG, "more than %d paths", PATHS_MAX);
	for (size_t i = 0; i < paths->n; i++)
		list_add(a, &all, read_one(a, paths->items[i]));
	ret->paths = all;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A file that appears whole.
 */
#include "base/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/file.h"

#define TRIES 100

bool newfile_nameless = true;

struct newfile {
	char *path, *dir;
	char *part; /* what it is called meanwhile; NULL: it has no name */
	bool replace;
	int fd;
};

/* A hidden name beside it that nobody else has. */
static char *beside(const struct newfile *f)
{
	const char *slash = strrchr(f->path, '/');
	uint32_t number = 0;

	if (getrandom(&number, sizeof(number), 0) < 0)
		number = (uint32_t)getpid();
	return xasprintf("%s/.%s.%08x.part", f->dir, slash ? slash + 1 : f->path, number);
}

static int look(const struct newfile *f, struct err *e)
{
	const char *slash = strrchr(f->path, '/'), *name = slash ? slash + 1 : f->path;
	struct stat st;

	if (!*name || streq(name, ".") || streq(name, ".."))
		return err_set(e, -EINVAL, "'%s' is no name of a file", f->path);
	if (lstat(f->path, &st) < 0)
		return errno == ENOENT ? 0 : err_errno(e, -errno, "%s", f->path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s is there, and no regular file", f->path);
	return f->replace ? 0 : err_set(e, -EEXIST, "%s is there already", f->path);
}

static int create(struct newfile *f, int mode, struct err *e)
{
	if (newfile_nameless)
		f->fd = open(f->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	if (f->fd >= 0)
		return 0;
	/* What a file system or an old kernel says that can't do it; anything else comes again. */
	for (int i = 0; i < TRIES; i++) {
		char *part = beside(f);

		f->fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
		if (f->fd >= 0) {
			f->part = part;
			return 0;
		}
		free(part);
		if (errno != EEXIST)
			break;
	}
	return err_errno(e, -errno, "create a file in %s", f->dir);
}

int newfile_open(const char *path, int mode, bool replace, struct newfile **ret, struct err *e)
{
	_cleanup_newfile_ struct newfile *f = xcalloc(1, sizeof(*f));
	const char *slash = strrchr(path, '/');
	int r;

	f->path = xstrdup(path);
	f->dir = !slash          ? xstrdup(".")
		 : slash == path ? xstrdup("/")
				 : xasprintf("%.*s", (int)(slash - path), path);
	f->replace = replace;
	f->fd = -1;
	r = look(f, e);
	if (r == 0)
		r = create(f, mode, e);
	if (r < 0)
		return r;
	*ret = f;
	f = NULL;
	return 0;
}

int newfile_fd(const struct newfile *f)
{
	return f->fd;
}

/* The nameless one gets a name that was free a moment ago: its own, or where that may be replaced, one
 * beside it to be renamed. */
static int give_name(struct newfile *f, struct err *e)
{
	char from[32];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", f->fd);
	for (int i = 0; i < TRIES; i++) {
		_cleanup_(freep) char *to = f->replace ? beside(f) : xstrdup(f->path);

		if (linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0) {
			f->part = f->replace ? to : NULL;
			to = f->replace ? NULL : to;
			return 0;
		}
		if (errno != EEXIST || !f->replace)
			break;
	}
	if (errno == EEXIST)
		return err_set(e, -EEXIST, "%s is there by now", f->path);
	return err_errno(e, -errno, "create %s", f->path);
}

int newfile_place(struct newfile *f, struct err *e)
{
	int r = 0;

	if (fsync(f->fd) < 0)
		return err_errno(e, -errno, "write %s", f->path);
	if (!f->part)
		r = give_name(f, e);
	if (r == 0 && f->part) {
		unsigned flags = f->replace ? 0 : RENAME_NOREPLACE;

		if (renameat2(AT_FDCWD, f->part, AT_FDCWD, f->path, flags) < 0 &&
		    (errno != EINVAL || rename(f->part, f->path) < 0))
			return errno == EEXIST ? err_set(e, -EEXIST, "%s is there by now", f->path)
					       : err_errno(e, -errno, "rename %s", f->part);
		free(f->part);
		f->part = NULL;
	}
	return r < 0 ? r : file_sync_dir(f->path, e);
}

void newfile_free(struct newfile *f)
{
	if (!f)
		return;
	if (f->part)
		unlink(f->part);
	if (f->fd >= 0)
		close(f->fd);
	free(f->part);
	free(f->path);
	free(f->dir);
	free(f);
}

void newfile_freep(struct newfile **f)
{
	newfile_free(*f);
}

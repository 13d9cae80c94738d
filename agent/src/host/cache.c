/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The cache of boot files. A name appears by rename, after fsync: what a power cut leaves ends in
 * ".part" and is swept away, unless whoever writes it still holds its lock.
 */
#include "host/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "host/bzimage.h"

#define PART     ".part"
#define UNPACKED ".vmlinux"
#define IMAGE    ".img"

const char *cache_dir = CACHE_DIR;

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static bool endswith(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && streq(s + n - m, end);
}

static bool is_digest(const char *s)
{
	return strlen(s) == SHA256_TEXT - 1 && strspn(s, "0123456789abcdef") == SHA256_TEXT - 1;
}

/* A regular file of some bytes, and no symbolic link to one. */
static int regular(int dir, const char *name, struct stat *ret)
{
	if (fstatat(dir, name, ret, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISREG(ret->st_mode) && ret->st_size > 0 ? 0 : -ENOENT;
}

/* "SHA256.img" → the digest; false for another name. */
static bool is_image(const char *name, char ret[SHA256_TEXT])
{
	size_t n = SHA256_TEXT - 1;

	if (strlen(name) != n + strlen(IMAGE) || !endswith(name, IMAGE))
		return false;
	memcpy(ret, name, n);
	ret[n] = '\0';
	return is_digest(ret);
}

const char *cache_image_path(struct arena *a, const char *id)
{
	return arena_printf(a, "%s/%s" IMAGE, cache_dir, id);
}

int cache_read(struct arena *a, struct cache_facts *ret, struct err *e)
{
	_cleanup_(closedirp) DIR *d = opendir(cache_dir);
	struct map files = {0}, images = {0};
	char digest[SHA256_TEXT];
	struct dirent *entry;

	if (!d && errno == ENOENT) {
		ret->files = files;
		return 0;
	}
	if (!d)
		return err_errno(e, -errno, "open %s", cache_dir);
	while ((errno = 0, entry = readdir(d))) {
		char unpacked[sizeof(entry->d_name) + sizeof(UNPACKED)];
		struct cache_file *f;
		struct stat st;

		if (is_image(entry->d_name, digest) && regular(dirfd(d), entry->d_name, &st) == 0 &&
		    images.n < CACHE_MAX_FILES) {
			struct cache_image *i = arena_alloc(a, sizeof(*i));

			i->size = (uint64_t)st.st_size;
			i->held = (uint64_t)st.st_blocks * 512;
			map_add(a, &images, arena_strdup(a, digest), i);
			continue;
		}
		if (!is_digest(entry->d_name) || regular(dirfd(d), entry->d_name, &st) < 0)
			continue;
		if (files.n >= CACHE_MAX_FILES)
			return err_set(e, -E2BIG, "more than %d files in %s", CACHE_MAX_FILES,
				       cache_dir);
		f = arena_alloc(a, sizeof(*f));
		f->size = (uint64_t)st.st_size;
		snprintf(unpacked, sizeof(unpacked), "%s" UNPACKED, entry->d_name);
		f->unpacked = regular(dirfd(d), unpacked, &st) == 0;
		map_add(a, &files, arena_strdup(a, entry->d_name), f);
	}
	if (errno)
		return err_errno(e, -errno, "read %s", cache_dir);
	ret->files = files;
	ret->images = images;
	return 0;
}

/* Makes PATH.part, empty and locked. A sweep may take it away between our open and our lock. */
static int part_open(const char *part, int *ret, struct err *e)
{
	for (int i = 0; i < 100; i++) {
		_cleanup_(closep) int fd =
			open(part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		struct stat mine, there;

		if (fd < 0)
			return err_errno(e, -errno, "create %s", part);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			return err_set(e, -EBUSY, "%s is being written by another process", part);
		if (fstat(fd, &mine) < 0 || stat(part, &there) < 0 || mine.st_ino != there.st_ino)
			continue;
		if (ftruncate(fd, 0) < 0)
			return err_errno(e, -errno, "write %s", part);
		*ret = fd;
		fd = -1;
		return 0;
	}
	return err_set(e, -EBUSY, "%s comes and goes", part);
}

/* Removes what was left by those who died; `also` (may be NULL) is a prefix of names to go too, but
 * for `but`. No failure matters. */
static void sweep(const char *also, const char *but)
{
	_cleanup_(closedirp) DIR *d = opendir(cache_dir);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		_cleanup_(closep) int fd = -1;

		if (also && startswith(entry->d_name, also) && !streq(entry->d_name, but) &&
		    !endswith(entry->d_name, PART)) {
			unlinkat(dirfd(d), entry->d_name, 0);
			continue;
		}
		if (!endswith(entry->d_name, PART))
			continue;
		fd = openat(dirfd(d), entry->d_name,
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dirfd(d), entry->d_name, 0);
	}
}

/* The kernel at `path` unpacked to `to`, atomically: 0, 1 (nothing to unpack) or an error. */
static int unpack(const char *path, const char *to, struct err *e)
{
	_cleanup_(freep) char *part = xasprintf("%s" PART, to);
	_cleanup_(closep) int from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_cleanup_(closep) int fd = -1;
	int r;

	if (from < 0)
		return err_errno(e, -errno, "open %s", path);
	r = part_open(part, &fd, e);
	if (r < 0)
		return r;
	r = bzimage_unpack(from, fd, e);
	if (r == 0 && fsync(fd) < 0)
		r = err_errno(e, -errno, "write %s", part);
	if (r == 0 && rename(part, to) < 0)
		r = err_errno(e, -errno, "rename %s", part);
	if (r != 0) {
		unlink(part);
		return r;
	}
	return file_sync_dir(to, e);
}

/* An unpacked kernel saves time and no more: without it, the packed one is used. */
static bool try_unpack(const char *path, const char *to)
{
	_cleanup_err_ struct err e = {0};
	int r = unpack(path, to, &e);

	if (r < 0)
		log_debug("%s stays packed: %s", path, e.message);
	return r == 0;
}

/* To `path`, unless it is there, by way of a name that says that it isn't whole. */
static int fetch_to(const char *path, const struct image_request *q, mode_t mode, struct err *e)
{
	_cleanup_(freep) char *part = xasprintf("%s" PART, path);
	_cleanup_(closep) int fd = -1;
	struct image_request mine = *q;
	struct image_result result;
	struct stat st;
	int r;

	r = file_mkdirs(cache_dir, 0755, e);
	if (r < 0)
		return r;
	sweep(NULL, NULL);
	if (regular(AT_FDCWD, path, &st) == 0)
		return 0;
	r = part_open(part, &fd, e);
	if (r < 0)
		return r;
	mine.target = part;
	r = image_write(&mine, &result, e);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = err_errno(e, -errno, "chmod %s", part);
	if (r == 0 && rename(part, path) < 0)
		r = err_errno(e, -errno, "rename %s", part);
	if (r < 0) {
		unlink(part);
		return r;
	}
	return file_sync_dir(path, e);
}

int cache_fetch_image(const char *id, const struct image_request *q, struct err *e)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s" IMAGE, cache_dir, id);

	if (!is_digest(id))
		return err_set(e, -EINVAL, "'%s' is no sha256", id);
	return fetch_to(path, q, 0444, e);
}

int cache_fetch(const char *id, const struct image_request *q, struct err *e)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s", cache_dir, id);
	_cleanup_(freep) char *unpacked = xasprintf("%s" UNPACKED, path);
	struct image_request mine = *q;
	struct stat st;
	int r;

	if (!is_digest(id))
		return err_set(e, -EINVAL, "'%s' is no sha256", id);
	mine.as_is = true;
	mine.max_size = q->max_size ? MIN_OF(q->max_size, CACHE_MAX_FILE) : CACHE_MAX_FILE;
	r = fetch_to(path, &mine, 0644, e);
	if (r < 0)
		return r;
	if (regular(AT_FDCWD, unpacked, &st) < 0)
		try_unpack(path, unpacked);
	return 0;
}

#define CHECK_BYTES (128u << 10)

static int digest_of(int fd, const char *path, enum hash_type type, char ret[HASH_TEXT],
		     struct err *e)
{
	_cleanup_(freep) char *buf = xcalloc(1, CHECK_BYTES);
	struct hash *h = hash_new(type);
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, buf, CHECK_BYTES, at)) > 0) {
		hash_add(h, buf, (size_t)n);
		at += n;
	}
	hash_end(h, ret);
	return n < 0 ? err_errno(e, -errno, "read %s", path) : 0;
}

/* What comes out of the kernel once more, against what lies there. */
static int check_unpacked(int packed, const char *path, const char *unpacked, struct err *e)
{
	_cleanup_(closep) int is = open(unpacked, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_(closep) int fd = -1;
	char want[HASH_TEXT], have[HASH_TEXT];
	int r;

	if (is < 0)
		return errno == ENOENT ? 0 : err_errno(e, -errno, "open %s", unpacked);
	fd = memfd_create("kernel", MFD_CLOEXEC);
	if (fd < 0)
		return err_errno(e, -errno, "memory for a kernel");
	r = bzimage_unpack(packed, fd, e);
	if (r == 0)
		r = digest_of(fd, path, HASH_SHA256, want, e);
	if (r == 0)
		r = digest_of(is, unpacked, HASH_SHA256, have, e);
	if (r < 0)
		return r;
	return r == 0 && streq(want, have)
		       ? 0
		       : err_set(e, -EBADMSG, "%s isn't what comes out of the kernel", unpacked);
}

int cache_check(const char *id, enum hash_type type, const char *digest, struct err *e)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s", cache_dir, id);
	_cleanup_(freep) char *unpacked = xasprintf("%s" UNPACKED, path);
	_cleanup_(closep) int fd = -1;
	char is[HASH_TEXT];
	int r;

	if (!is_digest(id))
		return err_set(e, -EINVAL, "'%s' is no sha256", id);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(e, -errno, "open %s", path);
	r = digest_of(fd, path, type, is, e);
	if (r < 0)
		return r;
	if (!streq(is, digest))
		return err_set(e, -EBADMSG, "its %s is %s",
			       type == HASH_SHA512 ? "sha512" : "sha256", is);
	return check_unpacked(fd, path, unpacked, e);
}

int cache_remove(const char *id, struct err *e)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s", cache_dir, id);
	_cleanup_(freep) char *unpacked = xasprintf("%s" UNPACKED, path);
	int r;

	if (!is_digest(id))
		return err_set(e, -EINVAL, "'%s' is no sha256", id);
	/* Cut off between them, the file is still listed, and removed the next time. */
	r = file_remove(unpacked, e);
	return r < 0 ? r : file_remove(path, e);
}

int cache_remove_image(const char *id, struct err *e)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s" IMAGE, cache_dir, id);

	return is_digest(id) ? file_remove(path, e) : err_set(e, -EINVAL, "'%s' is no sha256", id);
}

/* Where the unpacked copy of a kernel from elsewhere goes: named by its path, and by what stat says
 * of it, which is cheaper than to read it each time. */
static void copy_name(const char *path, const struct stat *st, char prefix[32], char name[64])
{
	_cleanup_(freep) char *stamp =
		xasprintf("%llx %llx %llx %llx.%lx %llx.%lx", (unsigned long long)st->st_dev,
			  (unsigned long long)st->st_ino, (unsigned long long)st->st_size,
			  (unsigned long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
			  (unsigned long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
	char a[SHA256_TEXT], b[SHA256_TEXT];

	sha256_of(path, strlen(path), a);
	sha256_of(stamp, strlen(stamp), b);
	snprintf(prefix, 32, "path.%.16s.", a);
	snprintf(name, 64, "path.%.16s.%.16s" UNPACKED, a, b);
}

int cache_kernel(struct arena *a, const char *path, const char **ret, struct err *e)
{
	char prefix[32] = "", name[64] = "";
	struct stat st, there;
	char *to;

	if (stat(path, &st) < 0)
		return err_errno(e, -errno, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s is not a regular file", path);
	if (startswith(path, cache_dir) && path[strlen(cache_dir)] == '/' &&
	    is_digest(path + strlen(cache_dir) + 1)) {
		to = arena_printf(a, "%s" UNPACKED, path);
	} else {
		copy_name(path, &st, prefix, name);
		to = arena_printf(a, "%s/%s", cache_dir, name);
	}
	if (regular(AT_FDCWD, to, &there) < 0) {
		_cleanup_err_ struct err none = {0};

		if (file_mkdirs(cache_dir, 0755, &none) < 0 || !try_unpack(path, to)) {
			*ret = arena_strdup(a, path);
			return 0;
		}
		sweep(prefix[0] ? prefix : NULL, name);
	}
	*ret = to;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Saved guests as files.
 */
#include "host/save.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "base/file.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/log.h"
#include "base/newfile.h"
#include "base/num.h"
#include "host/blk.h"

#define SAVE_DIR_DEFAULT "/var/lib/manor/save"
#define SAVE_MAX_FILES   10000
#define MAGIC            "manor-save 1 " /* and the JSON's length in 10 digits, a newline, the JSON */
#define MAGIC_BYTES      (sizeof(MAGIC) - 1 + 11)
#define HEADER_MAX       (1u << 20)
#define PAGE             4096u
#define MIB              (UINT64_C(1) << 20)
#define TMPFS            0x01021994 /* linux/magic.h */
#define SLACK            (64 * MIB) /* the stream's own words, a device model's; and /var is not to be full */

struct saving {
	struct newfile *file;
};

/* Unit tests keep theirs elsewhere. */
static const char *save_dir(void)
{
	const char *dir = secure_getenv("MANOR_SAVE_DIR");

	return dir ? dir : SAVE_DIR_DEFAULT;
}

static bool name_ok(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) <= 63;
}

static char *path_of(const char *name, const char *suffix)
{
	return xasprintf("%s/%s.%s", save_dir(), name, suffix);
}

const char *save_path(struct arena *a, const char *name)
{
	return arena_printf(a, "%s/%s.save", save_dir(), name);
}

/* --- the header --- */

static size_t padded(size_t n)
{
	return (MAGIC_BYTES + n + PAGE - 1) / PAGE * PAGE;
}

static int header_write(int fd, const struct saved_domain *s, struct err *e)
{
	_cleanup_json_ json_object *o = json_object_new_object();
	_cleanup_(freep) char *text = NULL;
	const char *json;
	size_t n, all;
	int r;

	json_put_text(o, "uuid", s->uuid);
	json_put_text(o, "boot_id", s->boot_id);
	json_object_object_add(o, "domid", json_object_new_int64(s->domid));
	json_object_object_add(o, "since", json_object_new_int64(s->since));
	json_object_object_add(o, "for_host", json_object_new_boolean(s->for_host));
	json_put_text(o, "domain", s->domain);
	json = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	n = strlen(json);
	all = padded(n);
	if (all > HEADER_MAX)
		return err_set(e, -EFBIG, "what the domain is like has more than %u bytes",
			       HEADER_MAX);
	text = xcalloc(all + 1, 1);
	memset(text, '\n', all);
	snprintf(text, MAGIC_BYTES + 1, MAGIC "%010zu\n", n);
	memcpy(text + MAGIC_BYTES, json, n);
	r = file_write_all(fd, text, all);
	return r < 0 ? err_errno(e, r, "write the header") : 0;
}

/* Leaves the descriptor behind it. */
static int header_read(struct arena *a, int fd, struct saved_domain *ret, struct err *e)
{
	char magic[MAGIC_BYTES + 1] = "";
	_cleanup_(freep) char *text = NULL;
	_cleanup_json_ json_object *o = NULL;
	unsigned long long n;

	if (pread(fd, magic, MAGIC_BYTES, 0) != MAGIC_BYTES || !startswith(magic, MAGIC) ||
	    magic[MAGIC_BYTES - 1] != '\n')
		return err_set(e, -EBADMSG, "it is no file of Manor's");
	magic[MAGIC_BYTES - 1] = '\0';
	n = strtoull(magic + sizeof(MAGIC) - 1, NULL, 10);
	if (n > HEADER_MAX)
		return err_set(e, -EBADMSG, "it is no file of Manor's");
	text = xcalloc((size_t)n + 1, 1);
	if (pread(fd, text, (size_t)n, MAGIC_BYTES) != (ssize_t)n)
		return err_set(e, -EBADMSG, "it is cut off");
	o = json_parse(text, (size_t)n, e);
	if (!o)
		return -EBADMSG;
	ret->uuid = arena_strdup(a, json_text(o, "uuid"));
	ret->boot_id = arena_strdup(a, json_text(o, "boot_id"));
	ret->domain = arena_strdup(a, json_text(o, "domain"));
	ret->domid = json_int(o, "domid");
	ret->since = json_int(o, "since");
	ret->for_host = json_flag(o, "for_host");
	if (!ret->uuid || !ret->domain)
		return err_set(e, -EBADMSG, "it doesn't say whose it is");
	if (lseek(fd, (off_t)padded((size_t)n), SEEK_SET) < 0)
		return err_errno(e, -errno, "seek");
	return 0;
}

/* --- reading --- */

static int open_file(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_errno(e, -errno, "open %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(e, -EINVAL, "%s is no file", path);
	}
	return fd;
}

static void look(struct arena *a, const char *name, const char *suffix, struct saved_domain *s)
{
	_cleanup_(freep) char *path = path_of(name, suffix);
	_cleanup_err_ struct err e = {0};
	_cleanup_(closep) int fd = open_file(path, &e);
	struct stat st;

	if (fd >= 0 && header_read(a, fd, s, &e) == 0 && fstat(fd, &st) == 0)
		s->size = (uint64_t)st.st_size;
	else
		s->why = arena_strdup(a, e.message ? e.message : "it can't be read");
}

/* "web" of "web.save"; NULL: another file. */
static const char *name_in(struct arena *a, const char *file, const char *suffix)
{
	size_t n = strlen(file), k = strlen(suffix);
	const char *name;

	if (n < k + 2 || file[n - k - 1] != '.' || !streq(file + n - k, suffix))
		return NULL;
	name = arena_strndup(a, file, n - k - 1);
	return name_ok(name) ? name : NULL;
}

static struct saved_domain *entry(struct arena *a, struct map *m, const char *name)
{
	struct saved_domain *s = map_get(m, name);

	if (!s) {
		s = arena_alloc(a, sizeof(*s));
		map_add(a, m, name, s);
	}
	return s;
}

int save_read(struct arena *a, struct map *ret, struct err *e)
{
	DIR *d = opendir(save_dir());
	struct dirent *de;
	int r = 0;

	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return err_errno(e, -errno, "open %s", save_dir());
	while ((errno = 0, de = readdir(d))) {
		const char *name;

		if (ret->n >= SAVE_MAX_FILES) {
			r = err_set(e, -EFBIG, "more than %d files in %s", SAVE_MAX_FILES,
				    save_dir());
			break;
		}
		if ((name = name_in(a, de->d_name, "save")))
			entry(a, ret, name)->whole = true;
		else if ((name = name_in(a, de->d_name, "used")))
			entry(a, ret, name)->used = true;
		else if ((name = name_in(a, de->d_name, "failed")))
			entry(a, ret, name)->failed = true;
	}
	if (r == 0 && errno)
		r = err_errno(e, -errno, "read %s", save_dir());
	closedir(d);
	for (size_t i = 0; r == 0 && i < ret->n; i++) {
		struct saved_domain *s = ret->entries[i].value;

		look(a, ret->entries[i].name, s->whole ? "save" : s->used ? "used" : "failed", s);
	}
	return r;
}

/* --- writing --- */

static int no_room(uint64_t bytes, uint64_t left, struct err *e)
{
	char need[NUM_TEXT], have[NUM_TEXT];

	err_help(e, "free some of it, or stop the domain instead");
	return err_set(e, -ENOSPC, "saving takes %s in %s, where %s are free",
		       num_size(need, bytes), save_dir(), num_size(have, left));
}

static int room_left(uint64_t *ret, struct err *e)
{
	struct statvfs fs;

	if (statvfs(save_dir(), &fs) < 0)
		return err_errno(e, -errno, "look at %s", save_dir());
	*ret = (uint64_t)fs.f_bavail * fs.f_frsize;
	return 0;
}

/* The host would go on with what the guest was, and the guest would be gone with the power: and its memory be dom0's meanwhile. */
static int outlives_power(struct err *e)
{
	struct statfs fs;

	if (statfs(save_dir(), &fs) < 0 || fs.f_type != TMPFS)
		return 0;
	err_help(e, "stop the domain instead; an installed host has a disk for it");
	return err_set(e, -ENOTSUP, "%s is in memory, and lost with the power", save_dir());
}

int save_room(uint64_t bytes, struct err *e)
{
	uint64_t left;
	int r = file_mkdirs(save_dir(), 0700, e);

	if (r == 0)
		r = outlives_power(e);
	if (r == 0)
		r = room_left(&left, e);
	if (r < 0)
		return r;
	bytes += bytes / 64 + SLACK;
	return bytes <= left ? 0 : no_room(bytes, left, e);
}

/* What an earlier one left that the power cut right before it got its name. Nobody else saves that domain now. */
static void sweep(const char *name)
{
	_cleanup_(freep) char *begins = xasprintf(".%s.save.", name);
	_cleanup_err_ struct err ignored = {0};
	DIR *d = opendir(save_dir());
	struct dirent *de;

	while (d && (de = readdir(d))) {
		size_t n = strlen(de->d_name);
		_cleanup_(freep) char *path = NULL;

		if (!startswith(de->d_name, begins) || n < 5 || !streq(de->d_name + n - 5, ".part"))
			continue;
		path = xasprintf("%s/%s", save_dir(), de->d_name);
		(void)file_remove(path, &ignored);
		err_done(&ignored);
	}
	if (d)
		closedir(d);
}

int save_begin(const char *name, const struct saved_domain *header, uint64_t bytes,
	       struct saving **ret, struct err *e)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_saving_ struct saving *s = xcalloc(1, sizeof(*s));
	uint64_t left;
	int r;

	if (!name_ok(name))
		return err_set(e, -EINVAL, "'%s' is no domain's name", name);
	path = path_of(name, "save");
	sweep(name);
	r = save_room(bytes, e);
	if (r == 0)
		r = newfile_open(path, 0600, true, &s->file, e);
	/* So that no other takes it while the guest stands still; not every file system can. */
	if (r == 0 &&
	    fallocate(newfile_fd(s->file), FALLOC_FL_KEEP_SIZE, 0, (off_t)(bytes + bytes / 64)) <
		    0 &&
	    errno == ENOSPC) {
		r = room_left(&left, e);
		if (r == 0)
			r = no_room(bytes + bytes / 64, left, e);
	}
	if (r == 0)
		r = header_write(newfile_fd(s->file), header, e);
	if (r < 0)
		return r;
	*ret = s;
	s = NULL;
	return 0;
}

int saving_fd(const struct saving *s)
{
	return newfile_fd(s->file);
}

int save_place(struct saving *s, struct err *e)
{
	int fd = newfile_fd(s->file);
	struct stat st;

	/* What was taken beyond its end is given back. */
	if (fstat(fd, &st) < 0 || ftruncate(fd, st.st_size) < 0)
		return err_errno(e, -errno, "end the file");
	return newfile_place(s->file, e);
}

void saving_free(struct saving *s)
{
	if (s)
		newfile_free(s->file);
	free(s);
}

void saving_freep(struct saving **s)
{
	saving_free(*s);
}

/* --- disks --- */

int save_sync_disk(const char *path, struct err *e)
{
	_cleanup_(closep) int fd = -1;

	if (path[0] != '/')
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_errno(e, -errno, "open %s", path);
	return fsync(fd) < 0 ? err_errno(e, -errno, "write out %s", path) : 0;
}

const char *save_disk_id(struct arena *a, const char *path)
{
	struct statvfs fs;
	struct statx x;

	if (path[0] != '/' || statx(AT_FDCWD, path, AT_STATX_SYNC_AS_STAT,
				    STATX_TYPE | STATX_INO | STATX_BTIME, &x) < 0)
		return NULL;
	if (S_ISBLK(x.stx_mode))
		return blk_id(a, path);
	if (!S_ISREG(x.stx_mode) || statvfs(path, &fs) < 0)
		return NULL;
	/* A number is given again once its file is gone, hence since when it is there; where the file system keeps
	 * no such time it is 0 for all. */
	return arena_printf(a, "file %lx %llu %lld.%09u", fs.f_fsid, (unsigned long long)x.stx_ino,
			    (long long)x.stx_btime.tv_sec, x.stx_btime.tv_nsec);
}

/* --- what becomes of it --- */

int save_open(const char *name, int *ret_fd, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_(freep) char *path = path_of(name, "save");
	struct saved_domain s = {0};
	int fd = open_file(path, e), r;

	if (fd < 0)
		return fd;
	/* What reads it waits for it. */
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	r = header_read(a, fd, &s, e);
	if (r < 0) {
		err_wrap(e, "%s", path);
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int move(const char *name, const char *from, const char *to, struct err *e)
{
	_cleanup_(freep) char *old = path_of(name, from), *new_ = path_of(name, to);

	if (rename(old, new_) < 0)
		return err_errno(e, -errno, "rename %s", old);
	return file_sync_dir(new_, e);
}

int save_use(const char *name, struct err *e)
{
	return move(name, "save", "used", e);
}

int save_unuse(const char *name, struct err *e)
{
	return move(name, "used", "save", e);
}

int save_set_aside(const char *name, struct err *e)
{
	return move(name, "save", "failed", e);
}

static int drop(const char *name, const char *suffix, struct err *e)
{
	_cleanup_(freep) char *path = NULL;

	if (!name_ok(name))
		return err_set(e, -EINVAL, "'%s' is no domain's name", name);
	path = path_of(name, suffix);
	return access(path, F_OK) < 0 && errno == ENOENT ? 0 : file_remove(path, e);
}

int save_discard(const char *name, struct err *e)
{
	return drop(name, "save", e);
}

int save_forget(const char *name, struct err *e)
{
	return drop(name, "used", e);
}

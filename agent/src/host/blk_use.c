/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Who uses a block device.
 */
#include "host/blk_use.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "base/str.h"

#define FILE_MAX  (8u << 20)
#define DEPTH_MAX 16

static void dir_freep(DIR **d)
{
	if (*d)
		closedir(*d);
}

void blk_uses_done(struct blk_uses *u)
{
	for (size_t i = 0; i < u->n; i++)
		free(u->list[i].where);
	free(u->list);
	free(u->backends);
	free(u->root);
	memset(u, 0, sizeof(*u));
}

static void add_use(struct blk_uses *u, dev_t dev, const char *where)
{
	u->list = xrealloc(u->list, u->n + 1, sizeof(*u->list));
	u->list[u->n++] = (struct blk_use){dev, xstrdup(where)};
}

/* mountinfo and swaps write blanks as \040. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && isdigit((unsigned char)s[1]) && isdigit((unsigned char)s[2]) &&
		    isdigit((unsigned char)s[3])) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

static dev_t block_dev(const char *path)
{
	struct stat st;

	return path && path[0] == '/' && stat(path, &st) == 0 && S_ISBLK(st.st_mode) ? st.st_rdev
										     : 0;
}

/* The device itself and all below it: partitions' disks, device-mapper's and md's slaves. */
static void add_root(struct blk_uses *u, dev_t dev, unsigned depth)
{
	char path[PATH_MAX];
	_cleanup_(dir_freep) DIR *d = NULL;
	struct dirent *entry;
	_cleanup_(freep) char *text = NULL;
	unsigned major_, minor_;

	for (size_t i = 0; i < u->n_root; i++)
		if (u->root[i] == dev)
			return;
	if (!dev || depth > DEPTH_MAX)
		return;
	u->root = xrealloc(u->root, u->n_root + 1, sizeof(*u->root));
	u->root[u->n_root++] = dev;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/slaves", major(dev), minor(dev));
	d = opendir(path);
	while (d && (entry = readdir(d))) {
		_cleanup_(freep) char *file = xasprintf("%s/%s/dev", path, entry->d_name);
		_cleanup_(freep) char *dev_text = NULL;

		if (entry->d_name[0] != '.' && file_read(file, 64, &dev_text, NULL, NULL) == 0 &&
		    sscanf(dev_text, "%u:%u", &major_, &minor_) == 2)
			add_root(u, makedev(major_, minor_), depth + 1);
	}
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(dev), minor(dev));
	if (access(path, F_OK) == 0) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(dev), minor(dev));
		if (file_read(path, 64, &text, NULL, NULL) == 0 &&
		    sscanf(text, "%u:%u", &major_, &minor_) == 2)
			add_root(u, makedev(major_, minor_), depth + 1);
	}
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static int read_mounts(struct blk_uses *u, struct err *e)
{
	_cleanup_(freep) char *text = NULL;
	char *save = NULL;
	int r = file_read("/proc/self/mountinfo", FILE_MAX, &text, NULL, e);

	if (r < 0)
		return r;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned major_, minor_;
		char *rest = strstr(line, " - "), *where, *source = NULL;
		int at = 0;
		dev_t dev, other;

		if (!rest || sscanf(line, "%*u %*u %u:%u %*s %n", &major_, &minor_, &at) != 2 ||
		    !at)
			continue;
		where = line + at;
		where[strcspn(where, " ")] = '\0';
		unescape(where);
		rest += 3;
		source = strchr(rest, ' ');
		if (source) {
			source++;
			source[strcspn(source, " ")] = '\0';
			unescape(source);
		}
		/* btrfs and the like have a number of their own: there the source tells. */
		dev = makedev(major_, minor_);
		other = block_dev(source);
		if (major_)
			add_use(u, dev, where);
		if (other && other != dev)
			add_use(u, other, where);
		if (streq(where, "/")) {
			add_root(u, major_ ? dev : 0, 0);
			add_root(u, other, 0);
		}
	}
	return 0;
}

static void read_swaps(struct blk_uses *u)
{
	_cleanup_(freep) char *text = NULL;
	char *save = NULL;

	if (file_read("/proc/swaps", FILE_MAX, &text, NULL, NULL) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		dev_t dev;

		line[strcspn(line, " \t")] = '\0';
		unescape(line);
		dev = block_dev(line);
		if (dev)
			add_use(u, dev, "swap");
	}
}

/* Xen's block backend: vbd-DOMID-VDEV, with the device it serves in hex as MAJOR:MINOR. */
static void read_backends(struct blk_uses *u)
{
	static const char dir[] = "/sys/bus/xen-backend/devices";
	_cleanup_(dir_freep) DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		_cleanup_(freep) char *path = NULL, *text = NULL;
		unsigned domid, vdev, major_, minor_;

		if (sscanf(entry->d_name, "vbd-%u-%u", &domid, &vdev) != 2)
			continue;
		path = xasprintf("%s/%s/physical_device", dir, entry->d_name);
		if (file_read(path, 64, &text, NULL, NULL) < 0 ||
		    sscanf(text, "%x:%x", &major_, &minor_) != 2)
			continue;
		u->backends = xrealloc(u->backends, u->n_backends + 1, sizeof(*u->backends));
		u->backends[u->n_backends++] =
			(struct blk_backend){makedev(major_, minor_), domid, vdev};
	}
}

int blk_uses_read(struct blk_uses *u, struct err *e)
{
	int r = read_mounts(u, e);

	if (r < 0)
		return r;
	read_swaps(u);
	read_backends(u);
	return 0;
}

void blk_uses_of(struct arena *a, const struct blk_uses *u, const char *syspath, dev_t dev,
		 struct blk_disk *b)
{
	_cleanup_(freep) char *path = xasprintf("%s/holders", syspath);
	_cleanup_(dir_freep) DIR *d = opendir(path);
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			list_add(a, &b->holders, arena_strdup(a, entry->d_name));
	for (size_t i = 0; i < u->n_backends; i++)
		if (u->backends[i].dev == dev)
			list_add(a, &b->holders,
				 arena_printf(a, "domain %u (vbd %u)", u->backends[i].domid,
					      u->backends[i].vdev));
	for (size_t i = 0; i < u->n; i++)
		if (u->list[i].dev == dev && !list_has(&b->mounts, u->list[i].where))
			list_add(a, &b->mounts, arena_strdup(a, u->list[i].where));
	for (size_t i = 0; i < u->n_root; i++)
		b->root |= u->root[i] == dev;
}

/* The first process that has it open: who may look into every process's descriptors. */
static const char *process_using(struct arena *a, dev_t dev)
{
	_cleanup_(dir_freep) DIR *proc = opendir("/proc");
	struct dirent *p, *f;

	while (proc && (p = readdir(proc))) {
		_cleanup_(freep) char *fds = NULL;
		_cleanup_(dir_freep) DIR *d = NULL;
		long pid = strtol(p->d_name, NULL, 10);

		if (pid <= 0 || pid == getpid())
			continue;
		fds = xasprintf("/proc/%ld/fd", pid);
		d = opendir(fds);
		while (d && (f = readdir(d))) {
			_cleanup_(freep) char *file = NULL, *name = NULL, *comm = NULL;
			struct stat st;

			if (fstatat(dirfd(d), f->d_name, &st, 0) < 0 || !S_ISBLK(st.st_mode) ||
			    st.st_rdev != dev)
				continue;
			file = xasprintf("/proc/%ld/comm", pid);
			if (file_read(file, 64, &comm, NULL, NULL) < 0)
				comm = xstrdup("");
			comm[strcspn(comm, "\n")] = '\0';
			return arena_printf(a, "process %ld (%s)", pid, comm);
		}
	}
	return NULL;
}

const char *blk_users(struct arena *a, const char *path)
{
	_cleanup_(blk_uses_done) struct blk_uses u = {0};
	_cleanup_(freep) char *syspath = NULL;
	_cleanup_str_ struct str text = {0};
	dev_t dev = block_dev(path);
	struct blk_disk b = {0};

	if (!dev || blk_uses_read(&u, NULL) < 0)
		return NULL;
	syspath = xasprintf("/sys/dev/block/%u:%u", major(dev), minor(dev));
	blk_uses_of(a, &u, syspath, dev, &b);
	for (size_t i = 0; i < b.mounts.n; i++)
		str_addf(&text, "%smounted on %s", text.n ? ", " : "", (char *)b.mounts.items[i]);
	for (size_t i = 0; i < b.holders.n; i++)
		str_addf(&text, "%s%s", text.n ? ", " : "", (char *)b.holders.items[i]);
	return text.n ? arena_strdup(a, text.s) : process_using(a, dev);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Writing the appliance to a disk.
 */
#include "host/install.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "host/blk.h"
#include "host/program.h"
#include "host/slot.h"

#define BUF         (1u << 20)
#define BOOT_CODE   440
#define BOOT_MAX    4096
#define DRIVERS_MAX (64 << 10)

/* Stands where a table of four partitions would: no firmware starts a disk with it, for the two bytes at the sector's end
 * are missing. The table takes its place. */
static const char mark[] = "manor install: not finished";
#define MARK_AT 446

static void say(const struct install *i, const char *what)
{
	if (i->progress)
		i->progress(i->data, what);
}

static int write_at(int fd, const void *data, size_t n, uint64_t at)
{
	const char *from = data;

	while (n > 0) {
		ssize_t r = pwrite(fd, from, n, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -EIO;
		from += r;
		at += (uint64_t)r;
		n -= (size_t)r;
	}
	return 0;
}

static int zero(int fd, uint64_t at)
{
	_cleanup_(freep) char *zeros = xcalloc(1, BUF);

	return write_at(fd, zeros, BUF, at);
}

/* The boot code and the mark, in one sector. */
static int put_mark(const struct install *i, int fd, struct err *e)
{
	_cleanup_(freep) char *path = xasprintf("%s/boot.img", i->boot), *code = NULL;
	char sector[LAYOUT_SECTOR] = {0};
	size_t n;
	int r = file_read(path, BOOT_MAX, &code, &n, e);

	if (r < 0)
		return r;
	memcpy(sector, code, MIN_OF(n, (size_t)BOOT_CODE));
	memcpy(sector + MARK_AT, mark, sizeof(mark));
	r = write_at(fd, sector, sizeof(sector), 0);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r < 0 ? err_errno(e, r, "write to %s", i->path) : 0;
}

/* Nothing of before is found any more: neither by what libblkid knows nor, within a partition, by a guest. */
static int wipe(const struct install *i, int fd, struct err *e)
{
	int r = blk_wipe(fd, e);

	if (r < 0)
		return r;
	for (size_t k = 0; r == 0 && k < i->layout.n; k++) {
		const struct layout_part *p = &i->layout.parts[k];

		r = zero(fd, p->start);
		if (r == 0)
			r = zero(fd, p->start + p->size - BUF);
	}
	if (r == 0)
		r = zero(fd, i->layout.size / LAYOUT_GRAIN * LAYOUT_GRAIN - BUF);
	return r < 0 ? err_errno(e, r, "write to %s", i->path) : 0;
}

/* Into the partition, from its beginning. In a file, which is empty, what is zero stays a hole. */
static int copy(const struct install *i, int to, const char *path, const struct layout_part *p,
		struct err *e)
{
	_cleanup_(closep) int from = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(freep) char *buf = xcalloc(2, BUF);
	uint64_t at = 0;
	ssize_t n;

	if (from < 0)
		return err_errno(e, -errno, "open %s", path);
	while ((n = read(from, buf, BUF)) > 0) {
		int r = 0;

		if (at + (uint64_t)n > p->size)
			return err_set(e, -EFBIG, "%s is larger than the partition %s", path,
				       p->label);
		/* The buffer's other half is zeros. */
		if (!i->file || memcmp(buf, buf + BUF, (size_t)n) != 0)
			r = write_at(to, buf, (size_t)n, p->start + at);
		if (r < 0)
			return err_errno(e, r, "write to %s", i->path);
		at += (uint64_t)n;
	}
	return n < 0 ? err_errno(e, -errno, "read %s", path) : 0;
}

/* A file system from `offset` of a disk on, filled from a folder (NULL: empty) without mounting anything. */
static int make_fs(const char *disk, const struct layout_part *p, uint64_t offset,
		   const char *label, const char *features, const char *folder, struct err *e)
{
	_cleanup_(freep) char *extended =
		xasprintf("offset=%llu,nodiscard,root_owner=0:0", (unsigned long long)offset);
	_cleanup_(freep) char *size = xasprintf("%lluk", (unsigned long long)(p->size / 1024));
	const char *words[] = {"mke2fs", "-q",     "-F", "-F", "-t",  "ext4", "-b",
			       "4096",   "-m",     "1",  "-L", label, "-O",   features,
			       "-E",     extended, disk, size, NULL,  NULL,   NULL};
	const char *argv[ARRAY_SIZE(words) + 2];
	size_t n = 0;

	for (size_t i = 0; words[i]; i++) {
		if (words[i] == disk && folder) {
			argv[n++] = "-d";
			argv[n++] = folder;
		}
		argv[n++] = words[i];
	}
	argv[n] = NULL;
	return program_run((char *const *)argv, e);
}

static int make_state(const char *path, const struct layout_part *p, uint64_t offset,
		      const char *folder, struct err *e)
{
	return make_fs(path, p, offset, "MANOR_STATE", "^orphan_file", folder, e);
}

/* The boot menu's block, within the file system of the loaders: whole sectors, one behind the other, as GRUB wants it to write
 * there. What the loaders' own code has of its first line is no such block. */
static int put_settings(const struct install *i, int fd, const struct layout_part *p, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_(freep) char *buf = xcalloc(1, BUF + GRUBENV_SIZE);

	for (uint64_t at = 0; at < p->size; at += BUF) {
		ssize_t n = pread(fd, buf, BUF + GRUBENV_SIZE, (off_t)(p->start + at));

		if (n < 0)
			return err_errno(e, -errno, "read %s", i->path);
		for (size_t k = 0; k < BUF && k + GRUBENV_SIZE <= (size_t)n; k += LAYOUT_SECTOR) {
			struct grubenv *g;
			int r;

			if (!startswith(buf + k, GRUBENV_FIRST))
				continue;
			g = grubenv_parse(a, buf + k, GRUBENV_SIZE);
			if (g->damaged)
				continue;
			slot_set_settings(g, i->settings);
			if (!grubenv_format(g, buf + k, e))
				return -EINVAL;
			r = write_at(fd, buf + k, GRUBENV_SIZE, p->start + at + k);
			return r < 0 ? err_errno(e, r, "write to %s", i->path) : 0;
		}
	}
	return err_set(e, -ENOENT,
		       "%s/esp.img has no grubenv, for the boot menu to know Xen's arguments",
		       i->boot);
}

static int fill(const struct install *i, int fd, struct err *e)
{
	_cleanup_(freep) char *core = xasprintf("%s/core.img", i->boot);
	_cleanup_(freep) char *esp = xasprintf("%s/esp.img", i->boot);
	const struct layout_part *p = i->layout.parts;
	struct stat st;
	int r;

	say(i, "the boot loaders");
	r = copy(i, fd, core, &p[LAYOUT_BIOS], e);
	if (r == 0)
		r = copy(i, fd, esp, &p[LAYOUT_ESP], e);
	if (r == 0 && i->settings && *i->settings)
		r = put_settings(i, fd, &p[LAYOUT_ESP], e);
	if (r < 0)
		return r;
	if (stat(i->slot, &st) < 0)
		return err_errno(e, -errno, "open %s", i->slot);
	say(i, "the system, into slot A");
	/* GRUB reads it, and nobody writes to it: no journal, and nothing that is newer than GRUB. */
	r = S_ISDIR(st.st_mode)
		    ? make_fs(i->path, &p[LAYOUT_A], p[LAYOUT_A].start, "manor-a",
			      "^has_journal,^metadata_csum_seed,^orphan_file", i->slot, e)
		    : copy(i, fd, i->slot, &p[LAYOUT_A], e);
	if (r < 0 || i->layout.n <= LAYOUT_STATE)
		return r;
	say(i, "the state partition");
	return make_state(i->path, &p[LAYOUT_STATE], p[LAYOUT_STATE].start, i->state, e);
}

static int open_target(const struct install *i, struct err *e)
{
	/* To look whether anybody has it; mke2fs, which wants it for itself too, is to find it free. */
	_cleanup_(closep) int held = i->file ? -1 : open(i->path, O_RDONLY | O_EXCL | O_CLOEXEC);
	int r = -errno, fd;

	if (!i->file && held < 0)
		return r == -EBUSY ? err_set(e, r, "%s is in use", i->path)
				   : err_errno(e, r, "open %s", i->path);
	fd = i->file ? open(i->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)
		     : open(i->path, O_RDWR | O_CLOEXEC);
	r = -errno;
	if (fd >= 0 && (!i->file || ftruncate(fd, (off_t)i->layout.size) == 0))
		return fd;
	if (fd >= 0) {
		r = -errno;
		close(fd);
	}
	return err_errno(e, r, "open %s", i->path);
}

int install_run(const struct install *i, struct err *e)
{
	_cleanup_(closep) int fd = open_target(i, e);
	int r = fd < 0 ? fd : put_mark(i, fd, e);

	if (r == 0 && !i->file) {
		say(i, "away with what was on it");
		r = wipe(i, fd, e);
	}
	if (r == 0)
		r = fill(i, fd, e);
	if (r == 0)
		say(i, "the partition table");
	if (r == 0 && fsync(fd) < 0)
		r = err_errno(e, -errno, "write to %s", i->path);
	if (r == 0)
		r = gpt_write(i->path, &i->layout, &i->ids, e);
	if (r == 0 && fsync(fd) < 0)
		r = err_errno(e, -errno, "write to %s", i->path);
	/* The disk is whole; whether this system sees it matters less. */
	if (r == 0 && !i->file)
		ioctl(fd, BLKRRPART);
	return r;
}

static bool is_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISBLK(st.st_mode);
}

/* Of a disk that is in use, for it holds the slot that runs: so by the partition, which the kernel knows before the disk does. */
static int grow_state(const char *path, int fd, const struct layout *l, struct err *e)
{
	const struct layout_part *p = &l->parts[LAYOUT_STATE];
	_cleanup_(freep) char *part = NULL;
	int r = 0;

	for (size_t i = LAYOUT_STATE; r == 0 && i < l->n; i++)
		r = zero(fd, l->parts[i].start);
	/* What comes by way of the partition isn't to be overtaken by these. */
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		return err_errno(e, r, "write to %s", path);
	if (!is_device(fd))
		return make_state(path, p, p->start, NULL, e);
	r = gpt_tell_kernel(fd, l, e);
	if (r < 0)
		return r;
	part = xasprintf("%s%s%d", path, isdigit((unsigned char)path[strlen(path) - 1]) ? "p" : "",
			 LAYOUT_STATE + 1);
	return make_state(part, p, 0, NULL, e);
}

int install_grow(const char *path, uint64_t state, struct err *e)
{
	_cleanup_(closep) int fd = open(path, O_RDWR | O_CLOEXEC);
	char id[UUID_TEXT];
	struct gpt_ids ids;
	struct layout l;
	uint64_t size;
	size_t n;
	int r;

	if (fd < 0)
		return err_errno(e, -errno, "open %s", path);
	r = install_look(path, &size, e);
	if (r == 0)
		r = gpt_read(path, &n, id, e);
	if (r == 0)
		return err_set(e, -EINVAL, "%s isn't laid out as manor.img is", path);
	if (r < 0 || n > LAYOUT_STATE)
		return MIN_OF(r, 0);
	r = layout_make(size, state, &l, e);
	if (r == 0)
		r = grow_state(path, fd, &l, e);
	if (r < 0)
		return r;
	/* All machines that the image was written to have had the same until now. */
	gpt_ids_random(&ids);
	r = gpt_write(path, &l, &ids, e);
	return r == 0 && fsync(fd) < 0 ? err_errno(e, -errno, "write to %s", path) : r;
}

int install_look(const char *path, uint64_t *ret_size, struct err *e)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int sector = LAYOUT_SECTOR;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, -errno, "open %s", path);
	if (S_ISREG(st.st_mode)) {
		*ret_size = (uint64_t)st.st_size;
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return err_set(e, -ENOTBLK, "%s is no disk", path);
	if (ioctl(fd, BLKSSZGET, &sector) < 0 || ioctl(fd, BLKGETSIZE64, ret_size) < 0)
		return err_errno(e, -errno, "look at %s", path);
	if (sector == LAYOUT_SECTOR)
		return 0;
	err_help(
		e,
		"most such disks can be formatted to sectors of 512 bytes, which loses what is on them: NVMe by "
		"`nvme format --lbaf=N`, SAS by `sg_format --format --size=512`, SATA by `hdparm "
		"--set-sector-size 512`; or install to another disk, or boot from the network");
	return err_set(e, -EOPNOTSUPP,
		       "%s has sectors of %d bytes, not %d: no BIOS starts from such, and this "
		       "system doesn't by UEFI either",
		       path, sector, LAYOUT_SECTOR);
}

/* Whether a line of the list is that module: sysfs has underscores where a list may have dashes. */
static bool has_module(const char *list, const char *name)
{
	for (const char *at = list; *at;) {
		size_t n = strcspn(at, "\n"), k = 0;

		while (k < n && name[k] && (at[k] == name[k] || (at[k] == '-' && name[k] == '_')))
			k++;
		if (n && k == n && !name[n])
			return true;
		at += n + (at[n] == '\n');
	}
	return false;
}

/* The module whose driver has that device; NULL: none, or one that is part of the kernel: only what was loaded has a state. */
static char *module_of(const char *device)
{
	_cleanup_(freep) char *link = xasprintf("%s/driver/module", device);
	_cleanup_(freep) char *module = realpath(link, NULL);
	_cleanup_(freep) char *state = module ? xasprintf("%s/initstate", module) : NULL;

	return state && access(state, F_OK) == 0 ? xstrdup(strrchr(module, '/') + 1) : NULL;
}

int install_driven(const char *path, const char *list, struct err *e)
{
	_cleanup_(freep) char *at = realpath(path, NULL), *modules = NULL;
	size_t size;
	int r;

	if (!at || access(list, F_OK) < 0)
		return 0;
	r = file_read(list, DRIVERS_MAX, &modules, &size, e);
	if (r < 0)
		return r;
	if (strstr(at, "/session")) {
		err_help(
			e,
			"install to a disk of this machine; or boot it from the network, which takes no disk");
		return err_set(e, -EOPNOTSUPP,
			       "%s is reached by iSCSI, which a machine can't start from here",
			       strrchr(at, '/') + 1);
	}
	/* NVMe of several ways is made by the system, too, of what the machine has. */
	if (strstr(at, "/devices/virtual/") && !strstr(at, "/nvme-subsystem/")) {
		err_help(e, "install to a disk of which it is made");
		return err_set(
			e, -EOPNOTSUPP,
			"%s is no disk of the machine, but made by this system: nothing starts from it",
			strrchr(at, '/') + 1);
	}
	/* What is above it drives it, too: its controller, the bus that one is on. */
	for (char *slash = strrchr(at, '/'); slash && slash != at; slash = strrchr(at, '/')) {
		_cleanup_(freep) char *module = module_of(at);

		if (module && !has_module(modules, module)) {
			err_help(
				e,
				"install to another disk; or boot this machine from the network. Once the system runs, "
				"that disk serves as well as any (`storage:`)");
			return err_set(
				e, -EOPNOTSUPP,
				"%s is driven by %s, which isn't among the drivers that the system has before "
				"its root is found: it would not start from there",
				strrchr(path, '/') + 1, module);
		}
		*slash = '\0';
	}
	return 0;
}

bool install_half_made(const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char sector[LAYOUT_SECTOR];

	return fd >= 0 && pread(fd, sector, sizeof(sector), 0) == (ssize_t)sizeof(sector) &&
	       memcmp(sector + MARK_AT, mark, sizeof(mark)) == 0 && !sector[510] && !sector[511];
}

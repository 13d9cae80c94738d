/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Block devices as udev, sysfs and libblkid tell them. Where udev has no database (a rescue shell),
 * sysfs's own attributes serve.
 */
#include "host/blk.h"

#include <blkid/blkid.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libudev.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/str.h"
#include "host/blk_use.h"
#include "host/pci.h"

#define SIGNATURES_MAX 16
#define WIPES_MAX      256
#define DEVICES_MAX    4096
#define ATTR_MAX       256

static void udev_freep(struct udev **u)
{
	if (*u)
		udev_unref(*u);
}

static void enumerate_freep(struct udev_enumerate **en)
{
	if (*en)
		udev_enumerate_unref(*en);
}

static void device_freep(struct udev_device **d)
{
	if (*d)
		udev_device_unref(*d);
}

static void probe_freep(blkid_probe *p)
{
	if (*p)
		blkid_free_probe(*p);
}

/* A sysfs attribute or udev property without the blanks that drives pad with; NULL when empty. */
static const char *trimmed(struct arena *a, const char *s)
{
	size_t n;

	if (!s)
		return NULL;
	while (isspace((unsigned char)*s))
		s++;
	n = strlen(s);
	while (n && isspace((unsigned char)s[n - 1]))
		n--;
	return n && n < ATTR_MAX ? arena_strndup(a, s, n) : NULL;
}

static const char *first_of(struct arena *a, struct udev_device *d, const char *const *properties,
			    const char *const *attributes)
{
	const char *s = NULL;

	for (; !s && *properties; properties++)
		s = trimmed(a, udev_device_get_property_value(d, *properties));
	for (; !s && *attributes; attributes++)
		s = trimmed(a, udev_device_get_sysattr_value(d, *attributes));
	return s;
}

static bool skipped(const char *name)
{
	static const char *const prefixes[] = {"ram", "zram", "sr", "fd", "dm-", "mtdblock"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (startswith(name, prefixes[i]))
			return true;
	return false;
}

/* For all that libblkid knows. */
static int probe_all(blkid_probe pr, int fd)
{
	if (!pr)
		abort();
	errno = 0;
	if (blkid_probe_set_device(pr, fd, 0, 0) != 0)
		return errno ? -errno : -EIO;
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
						      BLKID_SUBLKS_UUID | BLKID_SUBLKS_MAGIC |
						      BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(pr, 1);
	blkid_probe_set_partitions_flags(pr, BLKID_PARTS_MAGIC | BLKID_PARTS_FORCE_GPT);
	return 0;
}

/* All that libblkid knows on the device, one line for people each; *ret_pv when it is LVM's. */
static int signatures(struct arena *a, int fd, struct list *ret, const char **ret_pv)
{
	_cleanup_(probe_freep) blkid_probe pr = blkid_new_probe();
	int r;

	r = probe_all(pr, fd);
	if (r < 0)
		return r;
	/* One round a signature, as wipefs does it. */
	for (unsigned i = 0; i < SIGNATURES_MAX; i++) {
		const char *type = NULL, *label = NULL, *uuid = NULL;

		errno = 0;
		r = blkid_do_probe(pr);
		if (r == 1)
			return 0;
		if (r < 0)
			return errno ? -errno : -EIO;
		if (blkid_probe_lookup_value(pr, "TYPE", &type, NULL) == 0) {
			blkid_probe_lookup_value(pr, "LABEL", &label, NULL);
			blkid_probe_lookup_value(pr, "UUID", &uuid, NULL);
			if (streq(type, "LVM2_member") && uuid)
				*ret_pv = arena_strdup(a, uuid);
			list_add(a, ret,
				 label ? arena_printf(a, "%s '%.64s'", type, label)
				       : arena_strdup(a, type));
		} else if (blkid_probe_lookup_value(pr, "PTTYPE", &type, NULL) == 0) {
			list_add(a, ret, arena_printf(a, "%s partition table", type));
		}
	}
	return 0;
}

int blk_wipe(int fd, struct err *e)
{
	_cleanup_(probe_freep) blkid_probe pr = blkid_new_probe();
	int r = probe_all(pr, fd);

	if (r < 0)
		return err_errno(e, r, "look for signatures");
	/* Each is looked for again once it is gone: some have copies. */
	for (unsigned i = 0; i < WIPES_MAX; i++) {
		errno = 0;
		r = blkid_do_probe(pr);
		if (r == 1)
			return 0;
		if (r == 0)
			r = blkid_do_wipe(pr, 0);
		if (r < 0)
			return err_errno(e, errno ? -errno : -EIO, "take a signature away");
	}
	return err_set(e, -E2BIG, "more than %d signatures", WIPES_MAX);
}

static void links_of(struct arena *a, struct udev_device *d, struct blk_disk *b)
{
	struct udev_list_entry *l;

	udev_list_entry_foreach(l, udev_device_get_devlinks_list_entry(d))
		list_add(a, &b->links, arena_strdup(a, udev_list_entry_get_name(l)));
}

static void wwids_of(struct arena *a, struct udev_device *d, struct blk_disk *b)
{
	static const char *const attributes[] = {"wwid", "device/wwid"};
	static const char *const properties[] = {"ID_WWN", "ID_WWN_WITH_EXTENSION"};

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		const char *s = trimmed(a, udev_device_get_sysattr_value(d, attributes[i]));

		if (s && !list_has(&b->wwids, s))
			list_add(a, &b->wwids, (void *)s);
	}
	for (size_t i = 0; i < ARRAY_SIZE(properties); i++) {
		const char *s = trimmed(a, udev_device_get_property_value(d, properties[i]));

		if (s && !list_has(&b->wwids, s))
			list_add(a, &b->wwids, (void *)s);
	}
}

/* udev's own, which tells ports of one controller apart; without it the PCI function alone. */
static const char *pci_of(struct arena *a, struct udev_device *d)
{
	const char *path = trimmed(a, udev_device_get_property_value(d, "ID_PATH"));
	_cleanup_(freep) char *copy = NULL;
	const char *pci = NULL;
	char *save = NULL;

	if (path)
		return startswith(path, "pci-") ? path : NULL;
	copy = xstrdup(udev_device_get_syspath(d));
	for (char *w = strtok_r(copy, "/", &save); w; w = strtok_r(NULL, "/", &save))
		if (pci_is_address(w))
			pci = w;
	return pci ? arena_printf(a, "pci-%s", pci) : NULL;
}

static struct blk_disk *read_one(struct arena *a, struct udev_device *d, struct blk_uses *uses)
{
	static const char *const model_properties[] = {"ID_MODEL", NULL};
	static const char *const model_attributes[] = {"device/model", NULL};
	static const char *const serial_properties[] = {"ID_SERIAL_SHORT", "ID_SCSI_SERIAL",
							"ID_SERIAL", NULL};
	static const char *const serial_attributes[] = {"serial", "device/serial", NULL};
	const char *name = udev_device_get_sysname(d), *node = udev_device_get_devnode(d);
	const char *size = udev_device_get_sysattr_value(d, "size");
	bool partition = streq(udev_device_get_devtype(d), "partition");
	unsigned long long sectors = size ? strtoull(size, NULL, 10) : 0;
	struct udev_device *parent;
	struct blk_disk *b;
	_cleanup_(closep) int fd = -1;
	int r;

	if (!node || sectors == 0 || skipped(name))
		return NULL;
	b = arena_alloc(a, sizeof(*b));
	b->name = arena_strdup(a, name);
	b->path = arena_strdup(a, node);
	b->number = arena_printf(a, "%u:%u", major(udev_device_get_devnum(d)),
				 minor(udev_device_get_devnum(d)));
	b->size = (uint64_t)sectors * 512;
	if (partition &&
	    (parent = udev_device_get_parent_with_subsystem_devtype(d, "block", "disk")))
		b->parent = arena_strdup(a, udev_device_get_sysname(parent));
	/* A partition has no identity of its own but links: a serial names a whole disk. */
	if (!partition) {
		b->model = first_of(a, d, model_properties, model_attributes);
		b->serial = first_of(a, d, serial_properties, serial_attributes);
		b->pci = pci_of(a, d);
		wwids_of(a, d, b);
	}
	links_of(a, d, b);
	b->readonly = streq(udev_device_get_sysattr_value(d, "ro"), "1");
	b->removable = streq(udev_device_get_sysattr_value(d, "removable"), "1");
	blk_uses_of(a, uses, udev_device_get_syspath(d), udev_device_get_devnum(d), b);

	fd = open(node, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	r = fd < 0 ? -errno : signatures(a, fd, &b->signatures, &b->pv_uuid);
	if (r < 0)
		b->unreadable = arena_strdup(a, strerror(-r));
	return b;
}

static const char *disk_id(struct arena *a, struct udev_device *d)
{
	/* The kernel's come first: at boot a guest may be asked for before udev knows a disk. */
	static const char *const attributes[] = {"dm/uuid", "wwid",          "device/wwid",
						 "serial",  "device/serial", NULL};
	static const char *const properties[] = {"ID_WWN_WITH_EXTENSION", "ID_WWN", "ID_SERIAL",
						 NULL};
	static const char *const none[] = {NULL};
	const char *id = first_of(a, d, none, attributes);

	return id ? id : first_of(a, d, properties, none);
}

const char *blk_id(struct arena *a, const char *path)
{
	_cleanup_(udev_freep) struct udev *u = udev_new();
	_cleanup_(device_freep) struct udev_device *d = NULL;
	struct udev_device *disk;
	const char *id;
	struct stat st;

	if (!u || stat(path, &st) < 0 || !S_ISBLK(st.st_mode))
		return NULL;
	d = udev_device_new_from_devnum(u, 'b', st.st_rdev);
	if (!d)
		return NULL;
	if (!streq(udev_device_get_devtype(d), "partition"))
		return disk_id(a, d);
	disk = udev_device_get_parent_with_subsystem_devtype(d, "block", "disk");
	id = disk ? disk_id(a, disk) : NULL;
	return id ? arena_printf(a, "%s from %s for %s", id,
				 udev_device_get_sysattr_value(d, "start"),
				 udev_device_get_sysattr_value(d, "size"))
		  : NULL;
}

static int by_name(const void *x, const void *y)
{
	const struct blk_disk *const *p = x, *const *q = y;

	return strverscmp((*p)->name, (*q)->name);
}

int blk_read(struct arena *a, struct blk_facts *ret, struct err *e)
{
	_cleanup_(udev_freep) struct udev *udev = udev_new();
	_cleanup_(enumerate_freep) struct udev_enumerate *en = NULL;
	_cleanup_(blk_uses_done) struct blk_uses uses = {0};
	struct udev_list_entry *entry;
	struct list disks = {0};
	int r;

	en = udev ? udev_enumerate_new(udev) : NULL;
	if (!en)
		return err_set(e, -ENOMEM, "list block devices");
	r = blk_uses_read(&uses, e);
	if (r < 0)
		return r;
	r = udev_enumerate_add_match_subsystem(en, "block");
	if (r >= 0)
		r = udev_enumerate_scan_devices(en);
	if (r < 0)
		return err_errno(e, r, "list block devices");
	udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(en))
	{
		_cleanup_(device_freep) struct udev_device *d =
			udev_device_new_from_syspath(udev, udev_list_entry_get_name(entry));
		struct blk_disk *b = d ? read_one(a, d, &uses) : NULL;

		if (b)
			list_add(a, &disks, b);
		if (disks.n > DEVICES_MAX)
			return err_set(e, -E2BIG, "more than %d block devices", DEVICES_MAX);
	}
	if (disks.n)
		qsort(disks.items, disks.n, sizeof(void *), by_name);
	/* The disk below a partition that matters matters too. */
	for (size_t i = 0; i < disks.n; i++) {
		struct blk_disk *part = disks.items[i];

		for (size_t k = 0; part->parent && k < disks.n; k++) {
			struct blk_disk *whole = disks.items[k];

			if (!streq(whole->name, part->parent))
				continue;
			list_add(a, &whole->partitions, (void *)part->name);
			whole->root |= part->root;
		}
	}
	ret->disks = disks;
	return 0;
}

int blk_check_free(const char *path, const char *pv_uuid, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	struct list found = {0};
	const char *pv = NULL, *who;
	struct stat st;
	int r;

	if (fd < 0 && errno == EBUSY) {
		who = blk_users(a, path);
		return err_set(e, -EBUSY, "%s is in use%s%s", path, who ? ": " : "",
			       who ? who : "");
	}
	if (fd < 0)
		return err_errno(e, -errno, "open %s", path);
	if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode))
		return err_set(e, -ENOTBLK, "%s is not a block device", path);
	r = signatures(a, fd, &found, &pv);
	if (r < 0)
		return err_errno(e, r, "look for signatures on %s", path);
	if (found.n == 1 && pv && streq(pv, pv_uuid))
		return 1;
	if (found.n) {
		r = err_set(e, -EEXIST, "%s bears a signature: %s", path,
			    (const char *)found.items[0]);
		err_help(e, "if nothing on it is needed, 'wipefs --all %s' clears it", path);
		return r;
	}
	return 0;
}

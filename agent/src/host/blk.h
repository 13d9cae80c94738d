/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Block devices: which disk is which (udev's and sysfs's stable ids), what is on it (libblkid), and
 * who uses it. Everything here reads only.
 */
#pragma once

#include "base/err.h"
#include "base/record.h"

struct blk_disk {
	struct record rec;
	const char *name;   /* the kernel's: "sda", "nvme0n1", "sda2" */
	const char *path;   /* "/dev/sda" */
	const char *number; /* "8:2", major and minor */
	const char *parent; /* of a partition: the disk's kernel name; NULL: a whole disk */
	uint64_t size;
	const char *model;  /* NULL: none given */
	const char *serial; /* the short one where udev knows both; NULL: none given */
	const char *pci;    /* as udev's ID_PATH: "pci-0000:00:1f.2-ata-1"; NULL: not behind PCI */
	struct list wwids;  /* as sysfs and udev spell it: "naa.5002…", "0x5002…", "eui.…" */
	struct list links;  /* /dev/disk/by-path/…, by-id/…: all udev links */
	struct list signatures; /* what libblkid found, for people: "ext4 'data'", "gpt partition table" */
	const char *pv_uuid;    /* of an LVM physical volume (LVM's form), else NULL */
	struct list partitions; /* kernel names */
	struct list holders;    /* kernel names of what is stacked on it: "dm-0", "md0" */
	struct list mounts;     /* mount points; "swap" for swap space */
	bool root;              /* the root file system is on it, or on what holds it */
	bool readonly, removable;
	const char *unreadable; /* why it could not be probed, else NULL */
};

struct blk_facts {
	struct record rec;
	struct list disks; /* of struct blk_disk, by name: whole disks and partitions */
};

/* Disks and partitions; no RAM disks, CD-ROMs, device-mapper devices nor unbound loop devices. */
int blk_read(struct arena *a, struct blk_facts *ret, struct err *e);

/* Tells the device from another of that name: a volume's UUID, a disk's own number, a partition's place on its disk.
 * NULL: nothing tells. Arena memory. */
const char *blk_id(struct arena *a, const char *path);

/* Looks once more, right before the device is written to, with an exclusive open: -EBUSY (mounted or
 * held), -EEXIST (bears a signature, said in the message; an LVM one whose UUID is `pv_uuid` is
 * passed, NULL: none is), else a negative errno. 1: it bears exactly that LVM signature; 0: empty. */
int blk_check_free(const char *path, const char *pv_uuid, struct err *e);

/* Takes every signature away that blk_read() would name. What was on it isn't found any more. */
int blk_wipe(int fd, struct err *e);

/* Who has the block device open, for a message: "mounted on /srv", "domain 4 (vbd 51712)",
 * "dm-3"; NULL when nobody is found. Arena memory. */
const char *blk_users(struct arena *a, const char *path);

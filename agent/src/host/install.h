/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Writing the appliance to a disk, or to a file that is one. Whoever calls has asked; what is there is lost.
 *
 * Wherever it is cut off, the disk starts nothing: first goes a mark into the first sector, then all signatures go, then
 * the partitions are filled, and last comes the table (host/gpt.h). A disk with that mark may be installed to again.
 */
#pragma once

#include "host/gpt.h"

#define INSTALL_DRIVERS "/usr/share/manor/boot-drivers"

struct install {
	const char *path;  /* a disk; or a file, which is made anew */
	bool file;
	struct layout layout;
	struct gpt_ids ids;
	const char *boot;  /* a folder with boot.img, core.img, esp.img */
	const char *slot;  /* a folder with a slot's files, or a file system of them in a file */
	const char *state; /* a folder with what /var begins with; NULL: nothing */
	const char *settings; /* Xen's arguments from the first boot on (host/slot.h); NULL: none but the version's own */
	void (*progress)(void *data, const char *what); /* what is done next, for people */
	void *data;
};

int install_run(const struct install *i, struct err *e);

/* On the first boot from a disk that manor.img was written to: makes of what is behind its four partitions those of
 * state and storage, under ids of its own; where they are there already, nothing. */
int install_grow(const char *path, uint64_t state, struct err *e);

/* Whether the disk's sectors are what the loaders are made for, and how large it is. */
int install_look(const char *path, uint64_t *ret_size, struct err *e);
/* Whether all that drives the disk is in the initrd of what is installed; the appliance's root has a list of its modules
 * (INSTALL_DRIVERS). -EOPNOTSUPP: something isn't, or the disk is another machine's, over the network, or made by
 * this system (md). `path` is that of its device in sysfs (/sys/block/sda, say), `list` the file with a module a line; where there is none, all is taken to be there. */
int install_driven(const char *path, const char *list, struct err *e);
/* An installation was begun there, and cut off. */
bool install_half_made(const char *path);

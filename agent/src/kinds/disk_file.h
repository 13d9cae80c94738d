/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Files that are guests' disks, each implied by a domain's disk as "DOMAIN.DISK". Manor makes them and lets them
 * grow; it never removes one, for no mark on the host tells where they are once the manifest doesn't.
 */
#pragma once

#include "model/kind.h"

struct disk_file {
	struct record rec;
	const char *path;
	uint64_t size;    /* bytes; unset for a clone: as large as what it comes from */
	const char *base; /* sha256 of the golden file that it is cloned from; NULL: all holes */
	const char *kernel, *initrd; /* of a clone: sha256 of the boot files that come with it; may be NULL */
	bool swap;        /* made as swap space */
	bool raw;         /* whatever it begins with: the manifest says so */
	/* What the host says: */
	uint64_t held; /* bytes that it occupies */
};

/* For a domain's prepare(): as volume_imply(). */
struct resource *disk_file_imply(struct manifest *m, struct resource *domain, const char *name,
				 const struct node *where, const char *path, uint64_t size,
				 const char *base_sha256, bool swap);
/* Of a clone: as volume_boot(). */
void disk_file_boot(struct resource *file, const char *kernel_sha256, const char *initrd_sha256);
/* Whether that clone comes from another digest than wanted; false where unknown. */
bool disk_file_behind(const struct facts *f, const struct resource *file);
/* Why what stands there, unless the manifest calls it raw, is no guest's disk; NULL: it may be one. */
const char *disk_file_other(struct arena *a, const struct facts *f, const char *path);
/* Whether it is there and can be used. */
bool disk_file_there(const struct facts *f, const struct resource *file);

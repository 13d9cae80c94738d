/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Volumes: thin unless they say otherwise; a domain's clones of its template's disks are volumes too,
 * implied by the domain as "DOMAIN.DISK".
 */
#pragma once

#include "model/kind.h"

struct volume {
	struct record rec;
	const char *storage;
	uint64_t size; /* bytes, whole extents; unset for a clone: the base's */
	bool thin;
	bool swap; /* made as swap space */
	const char *base; /* sha256 of the file that a clone comes from; NULL: an empty volume */
	const char *kernel, *initrd; /* of a clone: sha256 of the boot files that came with it; may be NULL */
	/* Of a cloud-init disk: sha256 of its text, the text, the clone ("vg0/web.root") that is the instance,
	 * and the instance itself: that clone's LVM UUID, once it is there. */
	const char *seed, *seed_text, *seed_of, *instance;
	const char *path; /* /dev/STORAGE/NAME */
	bool active;
	bool kept; /* undeleted: stays though no manifest names it */
	uint64_t keep;    /* of one that goes: how long it is to be kept, in seconds */
	/* What the host says: */
	int64_t data_percent; /* of the size, in hundredths */
	const char *origin;
};

/* For a domain's prepare(): the clone of a template's file (base_sha256 NULL: an empty volume), complete (record filled and marked, needs
 * its storage). `size` 0: as large as the base. `where`: the node that asks for it, for diagnostics.
 * The caller adds resource_needs(m, volume, template) and (m, domain, volume). NULL with a
 * diagnostic when the name is taken or can't be. */
struct resource *volume_imply(struct manifest *m, struct resource *domain, const char *name,
			      const struct node *where, const char *storage, uint64_t size,
			      const char *base_sha256);
/* Of an empty one that was implied: all its space at once; swap space. */
void volume_kind(struct resource *volume, bool thin, bool swap);
/* "/dev/STORAGE/NAME": what a disk's target is, known before the volume is there. Arena memory. */
const char *volume_path(struct arena *a, const char *storage, const char *name);
/* Of a clone: the boot files (sha256, or NULL) that belong to it; a domain on it keeps them until the
 * clone is made anew. */
void volume_boot(struct resource *volume, const char *kernel_sha256, const char *initrd_sha256);
/* Whether it is there, whole, and can be used. */
bool volume_there(const struct facts *f, const struct resource *volume);
/* It holds what cloud-init is told. `of`: the clone that is the instance; NULL: the domain is. */
void volume_seed(struct arena *a, struct resource *volume, const char *text, const char *of,
		 const char *domain_uuid);
/* Whether that clone comes from another digest than wanted ("behind"); false where unknown. */
bool volume_behind(const struct facts *f, const struct resource *volume);

/* A removed volume that is still there. */
struct tombstone {
	const char *name; /* the volume's: "web.root" */
	const char *vg, *lv;
	const char *uuid;
	uint64_t size;
	int64_t removed, expires; /* seconds since the epoch */
	int64_t held; /* bytes that it had mapped; -1: not known */
	bool cloned;  /* of those some may be its base's: it holds at most so much */
	bool ours; /* its mark is of the manifest's namespace */
};
/* All tombstones among the facts, newest first. Without a manifest none is known to be ours. */
void volume_tombstones(struct arena *a, const struct facts *f, const struct manifest *m,
		       struct tombstone **ret, size_t *ret_n);
/* Whether that tombstone is meant by WHAT: "volume/web.root", "web.root", and all of a domain's by
 * "domain/web" or "web". */
bool volume_meant(const struct tombstone *t, const char *what);
/* Destroys it, and what is in it: safe to run again. Only ours, and only what still is a tombstone. */
int volume_purge(const struct facts *f, const struct tombstone *t, struct err *e);
/* Brings the volume back under its name, active, and tagged so that the next apply leaves it. Safe to
 * run again. -EEXIST when the name is taken meanwhile, -EPERM when it isn't ours. */
int volume_undelete(struct arena *a, const struct facts *f, const struct tombstone *t,
		    struct err *e);

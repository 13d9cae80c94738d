/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Templates: golden files (disk images, boot files) and defaults for the domains made of them. What a
 * template imports follows from who asks: a domain's disk wants a file as a base in its storage, a
 * domain's kernel wants one in the cache of boot files. Each digest is imported once a place.
 */
#pragma once

#include "host/image.h"
#include "kinds/domain.h"
#include "model/kind.h"
#include "model/manifest.h"

struct template_file {
	struct record rec;
	const char *url;
	struct list mirrors; /* of strings */
	const char *sha256; /* of the file as downloaded: 64 hex digits once prepared */
	const char *sha512; /* in its place: 128 */
	const char *member; /* of the archive that it is; NULL: it is no archive */
	int format;         /* enum image_format */
	const char *ca;
	uint64_t time_limit; /* seconds; 0: not said */
	uint64_t size;      /* at most so many bytes when decompressed; 0: not said */
};

/* One file in one place. Its name in the map is "root@vg0", "kernel@cache", or "root@IMAGES". */
struct template_import {
	struct record rec;
	const char *url;
	struct list mirrors;
	const char *sha256;  /* what it is known and named by, here and in tags */
	const char *digest;  /* of the file as downloaded, sha256 or sha512 by its length; NULL: sha256 is it */
	const char *member;
	int format;
	const char *ca;
	uint64_t time_limit;
	const char *storage; /* NULL: in the cache */
	bool image;          /* in the cache: as a disk's sparse image, not as a boot file */
	const char *lv;      /* the base's name in that storage's volume group ("base.0123456789abcdef") */
	const char *path;    /* of what is in the cache; of a kernel the worker that starts a domain asks cache_kernel()
			      * (host/cache.h) for the unpacked kernel beside it */
	uint64_t size;       /* limit, as declared; 0: not said */
};

struct template {
	struct record rec;
	struct map files;    /* name → struct template_file */
	const char *storage; /* import there, wanted by a domain or not, and where its domains' disks live
			      * that name none; may be NULL */
	struct domain domain; /* what merges under its domains' own words */
	struct map imports;  /* derived: "FILE@PLACE" → struct template_import */
};

extern const struct table template_table;

/* A file of the template, or NULL: then the caller says so, at the line that asked for it. */
const struct template_file *template_file(const struct resource *template, const char *file);
/* What it is known and named by: see sha256 of struct template_import. */
const char *template_file_id(struct arena *a, const struct template_file *f);
/* Whether it surely has none: not where one of that name is there but not to be understood. */
bool template_lacks(const struct resource *template, const char *file);

/* For a domain's prepare(): says that it needs `file` in `storage` (a base to clone), or with NULL in
 * the cache (a boot file), and gives digest and place. Adds the entry to the template, once, and the
 * template's need of the storage; the caller adds its own need of the template (resource_needs).
 * NULL when the template has no such file. A file without digest was already complained about. */
const struct template_import *template_import(struct manifest *m, struct resource *template,
					      const char *file, const char *storage);

/* The same for a disk that is a file: an image in the cache, to be cloned from. */
const struct template_import *template_import_image(struct manifest *m, struct resource *template,
						    const char *file);
/* One file in that storage (NULL: in the cache), whoever wants it there; of no template. */
struct template_import *template_import_of(struct arena *a, const struct template_file *f,
					   const char *storage);

/* Between template.c and template_apply.c. */
bool template_same_place(const struct template_import *a, const struct template_import *b);
bool template_there(const struct facts *f, const struct template_import *i);
/* What stands in the way of an import: another's volume by that name. NULL: nothing. */
const char *template_in_the_way(struct arena *a, const struct facts *f,
				const struct template_import *i);
/* The file's name out of "FILE@PLACE". */
const char *template_file_of(struct arena *a, const char *key);
int template_apply(struct work *w, struct err *e);

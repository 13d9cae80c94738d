/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Importing a file as a base into a storage, or as a boot file into the cache: for templates' steps, and for
 * who has a file at hand.
 */
#pragma once

#include "kinds/template.h"

#define IMPORTS_TOGETHER 8 /* bases of one archive in one pass */

struct import {
	const struct template_import *what;
	/* Of the first of several. Each may be NULL. */
	void (*progress)(void *data, uint64_t done, uint64_t total); /* bytes fetched; total 0: not known */
	bool (*go_on)(void *data); /* asked all along: false ends it with -ECANCELED */
	/* Around what is changed of the storage: true before, false behind it. Bytes are written outside. */
	int (*changing)(void *data, bool begins, struct err *e);
	void *data;

	/* Import's own: */
	struct import *first;
	bool created;
	uint64_t size; /* that the base was made for */
	struct image_request q;
	struct image_result result;
};

/* Bases, from nothing to read-only; several are parts of one archive, with one url. `f`: the reading
 * "lvm". What an earlier run left half filled goes first; what another is filling is -EBUSY. Errors as
 * image_write()'s and host/lvm.h's, and nothing is left behind. */
int import_bases(struct arena *a, const struct facts *f, struct import *list, size_t n,
		 struct err *e);
/* A boot file, or a disk's image where it says so. */
int import_to_cache(struct import *i, struct err *e);

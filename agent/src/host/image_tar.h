/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Members of a tar archive: plain ones and sparse ones (GNU's old format, pax 0.0, 0.1 and 1.0), out of
 * a stream, several in one pass.
 */
#pragma once

#include "host/image_unpack.h"

struct tar_wanted {
	const char *member;
	bool found;
	/* What becomes of it, in this order; put's offsets rise, and what lies between is zeros. */
	int (*begin)(void *data, uint64_t size, struct err *e);
	int (*put)(void *data, uint64_t to, const void *p, size_t n, struct err *e);
	int (*end)(void *data, uint64_t size, struct err *e);
	void *data;
};

/* Reads it all: a member that comes twice is an error, as is one that is no regular file, or whose name,
 * like any other's in the archive, leads out of it (-EILSEQ); or that isn't there (-ENXIO). A callback's
 * errors are passed on. */
int tar_read(struct unpack *from, struct tar_wanted *w, size_t n, struct err *e);
/* Whether a name may be asked for: relative, no `..`. */
bool tar_name_ok(const char *name);

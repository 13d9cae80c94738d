/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What differs between the record that is wanted and the one that is. Fields that the manifest leaves
 * (unset in `want`) never differ; membership of a mapping always counts; config and status fields
 * are passed over.
 */
#pragma once

#include "conf/field.h"

struct change {
	const char *path;     /* "memory", "disks.root.vdev", "nics.lan" (an entry that comes or goes) */
	const char *old_text; /* for people; NULL: there was none */
	const char *new_text; /* NULL: it goes */
	const struct field *field;
	enum impact impact;
};

struct changes {
	struct change *list;
	size_t n;
};

/* `have` may be NULL (nothing there: no changes are listed). */
void record_diff(struct arena *a, const struct table *t, const void *want, const void *have,
		 const struct facts *facts, struct changes *ret);
enum impact changes_worst(const struct changes *c);
bool changes_has(const struct changes *c, const char *path_prefix);

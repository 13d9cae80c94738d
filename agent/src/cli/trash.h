/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Removed volumes, for the verbs about them.
 */
#pragma once

#include "cli/session.h"
#include "kinds/volume.h"

struct trash {
	struct manifest *manifest; /* its namespace says whose they are */
	struct facts *facts;       /* "lvm" alone */
	struct tombstone *list;    /* newest first; in the facts' arena */
	size_t n;
};

/* Reads the host. Returns 0, or an exit code, having said why. */
int trash_open(struct trash *t, const struct options *o, const char *verb);
/* Anew, after time has passed; as above. */
int trash_read(struct trash *t, const char *verb);
void trash_done(struct trash *t);
/* As a table, or as JSON. */
void trash_print(const struct trash *t, const struct options *o);

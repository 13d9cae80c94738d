/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A manifest for many hosts: `hosts` names each, says by `match` which machine it is, and beside that what is otherwise there
 * than in the rest of the file, which is common to all. Selecting makes one host's manifest of it, which says `hosts` no more.
 */
#pragma once

#include "base/machine.h"
#include "conf/field.h"

#define HOSTS_MAX 256 /* of one manifest */

/* By what a machine is known: each that is given must hold. */
struct host_match {
	struct record rec;
	struct list mac; /* one of these is enough */
	const char *serial, *uuid;
};

struct host_part {
	struct record rec;
	struct host_match match;
	const char *name;
	struct node *key;  /* its name, where it stands */
	struct node *says; /* what is this host's own, without `match` */
	bool sound;        /* `match` could be read, and is like nobody else's */
};

extern const struct table host_part_table; /* its own: `match` */

/* For whom a manifest is read. */
struct who {
	const char *host;              /* the one of this name, whichever machine it is; else */
	const struct machine *machine; /* the one that this machine is; else */
	const char *unknown;           /* nobody knows, and why */
};

/* Reads `hosts`: of struct host_part, each that is a mapping. Everything wrong is in c->diags: what another could
 * match too, above all. `fields`: the table of all that may stand in a part. */
void select_read(struct decode *c, const struct node *hosts, const struct table *fields,
		 struct list *ret);
/* The one that is meant; NULL: none or several, which is said at the `hosts` of `root`. */
const struct host_part *select_part(struct decode *c, const struct node *root,
				    const struct list *parts, const struct who *who);
/* That host's whole manifest: its part merged over the rest, as a domain's words over its template's. Neither is changed. Its
 * `host.name` is the part's name, unless something else is said. */
struct node *select_merge(struct arena *a, struct node *root, const struct host_part *part);
/* Of a manifest without `hosts`, one by name was asked for. */
void select_none(struct decode *c, const struct node *root, const struct who *who);

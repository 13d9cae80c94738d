/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What Manor keeps on the host, none of which convergence depends on: the manifest in force, the
 * journal for people, and the lock that makes one executor.
 */
#pragma once

#include <json-c/json.h>

#include "model/manifest.h"

#define STORE_DIR         "/var/lib/manor"
#define STORE_MANIFEST    STORE_DIR "/manifest-in-force.json"
#define STORE_WATCHED_DIR "/etc/manor"
#define STORE_WATCHED     STORE_WATCHED_DIR "/appliance.yaml"

/* Text, folder and `{file: …}` contents of the manifest, so that a bad new file never displaces it. */
int store_save_manifest(const struct manifest *m, struct err *e);
/* Loads it, for this machine (`who`); -ENOENT when there never was one. */
int store_load_manifest(const struct who *who, const struct kind *const *kinds, struct diags *d,
			struct manifest **ret, struct err *e);

/* The digest of STORE_WATCHED, and of the files of those paths, as they are. The caller's; "" where there
 * is no such manifest. */
char *store_watched_digest(json_object *named);
/* The paths that the manifest in force names, if it is that file; the caller's. */
json_object *store_named(void);
/* The digest that STORE_WATCHED had when a manifest, that or another, was last put in force: a file
 * that has it still is no news at the next start. The caller's; "" when there is none. */
char *store_seen_file(void);
/* The digest of the manifest in force (`digest` in model/manifest.h); the caller's, "" when there is none. */
char *store_digest(void);
/* When that one came into force, seconds since the epoch; 0: not known. */
int64_t store_since(void);

/* One line of JSON; kept to about two files of a MiB. Failure is only logged. */
void store_journal(json_object *entry);

/* The executor's lock. Workers inherit it (see engine/worker.h), so that whoever comes after a killed
 * executor waits for the steps that are still under way. Returns a descriptor; -EAGAIN with a message
 * when another holds it. */
int store_lock(struct err *e);
/* The same for one thing that is done aside (see struct step): its worker alone keeps it. */
int store_lock_aside(const char *kind, const char *name, struct err *e);

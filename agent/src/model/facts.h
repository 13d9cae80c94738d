/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What was observed of a host: one reading a reader, each known or unknown with the reason. Absent is
 * a known reading that lacks the thing; unknown is never taken for absent. As JSON this is what
 * `manor facts` prints and `manor plan --facts` reads.
 */
#pragma once

#include <json-c/json.h>

#include "conf/select.h"

struct reader {
	const char *name;           /* "machine", "appliance", "net", "lvm", "disks", "cache", "paths", "pci", "usb", "xen", "services", "intent" */
	const char *doc;
	const struct table *table;  /* of the record that read() fills */
	unsigned deadline_ms;       /* past that, the reading is unknown */
	bool at_hand;               /* a few small files that are in memory: observe() reads it itself, without a worker */
	/* Reads only. The record is zeroed; strings and lists go to the arena. Runs in a worker, unless it is at hand. */
	int (*read)(struct arena *a, void *ret_record, struct err *e);
	/* In its place, for a reading that is of what the manifest names (see `paths` in model/kind.h):
	 * strings, absolute paths. */
	int (*read_paths)(struct arena *a, const struct list *paths, void *ret_record,
			  struct err *e);
	/* In its place, for a step of a kind that is `alone` (model/kind.h): all of what bears that name or mark, and of
	 * the rest no more than that it is there. Optional. */
	int (*read_one)(struct arena *a, const char *name, const char *uuid, void *ret_record,
			struct err *e);
};

struct reading {
	const struct reader *reader;
	bool known;
	const char *why;  /* when not known */
	void *record;     /* when known */
};

struct facts {
	struct arena *arena;
	int64_t time;        /* of the observation, seconds since the epoch */
	const char *boot_id; /* /proc/sys/kernel/random/boot_id, so that intent knows a host boot */
	const char *hostname;
	struct reading *readings;
	size_t n;
};

struct facts *facts_new(void);
void facts_free(struct facts *f);
void facts_freep(struct facts **f);
#define _cleanup_facts_ _cleanup_(facts_freep)

void facts_add_known(struct facts *f, const struct reader *r, void *record);
void facts_add_unknown(struct facts *f, const struct reader *r, const char *why);
/* The record of that reader; NULL if unknown or never read. */
const void *facts_get(const struct facts *f, const char *reader);
/* Why it is unknown ("not read" if never read); NULL if it is known. */
const char *facts_unknown(const struct facts *f, const char *reader);

/* For whom a manifest is to be read on the host that they are of. It points into them. */
struct who facts_who(const struct facts *f);

json_object *facts_to_json(const struct facts *f);
int facts_from_json(json_object *json, const struct reader *const *readers, struct facts **ret,
		    struct err *e);

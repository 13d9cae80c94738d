/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A domain's identity: what its `cloud_init:` says becomes a small volume of its own, DOMAIN.cidata, that
 * cloud-init reads. The instance is the clone that the domain runs on: made anew, it is another one.
 */
#pragma once

#include "kinds/volume.h"

struct cloud_init {
	struct record rec;
	const char *hostname;       /* the domain's name when not given */
	struct list ssh_authorized_keys; /* of strings */
	const char *user_data;      /* as cloud-init reads it; secret */
	const char *network_config; /* likewise */
	const char *vdev;
	const char *storage;        /* that of its first disk when not given */
};

extern const struct table cloud_init_table;

#define SEED_DISK "cidata"

/* What the volume is to hold, as one JSON object of the files' parts (meta-data lacks its instance-id). */
const char *seed_text(struct arena *a, const struct cloud_init *c, const char *hostname);
/* Writes it to that volume's device, for that instance. */
int seed_fill(struct arena *a, const char *vg, const char *lv, const char *text,
	      const char *instance, struct err *e);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is kept of upgrades, in /var/lib/manor/intent/upgrade.json: the one that was begun, until it is known whether it is
 * good, and the versions that weren't. Other settings for the version that runs (Xen's arguments) go the same way. Written atomically; losing it is safe: what runs counts as good then, and a version
 * that failed may be tried again. A file that can't be read counts as lost.
 */
#pragma once

#include "base/err.h"
#include "base/record.h"

#define TRIAL_WITHIN     600 /* seconds from power-on, unless said */
#define TRIAL_WITHIN_MIN 60
#define TRIAL_WITHIN_MAX 86400
#define TRIAL_FAILED_MAX 16 /* so many are remembered */

struct trial_failed {
	const char *version, *build;
	const char *settings; /* it was these that failed; NULL: the version */
	const char *why;
	int64_t when; /* seconds since the epoch */
};

struct trial {
	/* The upgrade that was begun; slot NULL: none. */
	const char *slot;    /* that it goes to: "A" or "B" */
	const char *version, *build;
	const char *settings; /* Xen's arguments (host/slot.h) that are tried, by the version that ran; NULL: it is a version */
	const char *from;    /* what ran */
	const char *boot_id; /* of the boot in which it was begun */
	int64_t since;       /* seconds since the epoch */
	int64_t within;      /* it is good so many seconds after power-on, or never */
	bool written;        /* to its end, and the next boot's; a boot of the other slot then means that it failed */
	const char *gave_up; /* why it isn't; NULL: not known yet */
	struct list guests;  /* domains that ran, by name */
	struct list pending; /* what the plan had left anyhow: "domain/web:restart" */
	struct list failed;  /* of struct trial_failed, the latest last */
};

/* All in arena memory; absent or damaged: empty. */
void trial_read(struct arena *a, struct trial *ret);
int trial_write(const struct trial *t, struct err *e);
/* Moves what was begun to those that failed. */
void trial_fail(struct arena *a, struct trial *t, const char *why, int64_t now);
/* Nothing is begun any more. */
void trial_end(struct trial *t);
/* The one that failed and is that version, or has that root (may be NULL); NULL: none. */
const struct trial_failed *trial_failed(const struct trial *t, const char *version,
					const char *build);
const struct trial_failed *trial_failed_settings(const struct trial *t, const char *settings);
/* It is no failure any more. */
void trial_forgive(struct arena *a, struct trial *t, const char *version, const char *build);
void trial_forgive_settings(struct arena *a, struct trial *t, const char *settings);

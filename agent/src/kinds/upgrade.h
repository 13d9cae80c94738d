/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Upgrades of the appliance, decided: which bundle is taken, what a boot means for the one that was begun, and whether the
 * new version brought back what there was. Other settings of the version that runs are an upgrade, too: of the same slot.
 * Pure: from what was read, nothing is touched.
 */
#pragma once

#include "host/bundle.h"
#include "host/trial.h"
#include "model/manifest.h"
#include "model/plan.h"

/* What the manifest wants of Xen's arguments, dom0's share first, as the boot menu is to have it; "": nothing. Arena memory. */
const char *host_settings(struct arena *a, const struct manifest *m);

struct upgrade_ask {
	bool downgrade; /* an older one is fine */
	bool retry;     /* as is one that failed before */
};

/* 0, or why that bundle isn't taken: -EXDEV (for another kind of machine), -EEXIST (it runs), -ESTALE (older), -EPERM (it
 * failed before). */
int upgrade_refuse(const struct slots *s, const struct trial *t, const struct bundle *b,
		   const struct upgrade_ask *ask, struct err *e);

/* Notes in `t` what there is before an upgrade: the guests that run, and what the plan leaves as it is. */
void upgrade_note(struct arena *a, const struct facts *f, const struct plan *p, struct trial *t);
/* What is missing of it now, in a sentence; NULL: nothing, the new version is good. Arena memory. */
const char *upgrade_misses(struct arena *a, const struct manifest *m, const struct facts *f,
			   const struct plan *p, const struct trial *t);

enum upgrade_boot {
	UPGRADE_NO_SLOT,   /* this host wasn't started from a slot */
	UPGRADE_ORDINARY,  /* no upgrade was begun: what has come up so far is good */
	UPGRADE_UNKEPT,    /* a new version that doesn't find what was kept: /var isn't on a disk */
	UPGRADE_ON_TRIAL,  /* the new version runs, for the first time or again */
	UPGRADE_BEGUN,     /* in this boot: it is being written, or the next boot's */
	UPGRADE_CUT_OFF,   /* it wasn't written to its end: the old one runs, as if it hadn't been begun */
	UPGRADE_FELL_BACK, /* the new one was started, and here is the old one */
};
enum upgrade_boot upgrade_boot(const struct slots *s, const struct trial *t);

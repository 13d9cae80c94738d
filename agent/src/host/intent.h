/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a person wants beside the manifest, and counters: one small JSON file a domain below
 * /var/lib/manor/intent/domain/, each written atomically and under one lock. Nothing else is kept,
 * and losing it is safe: a domain that was stopped starts again, a restart that was asked for is
 * asked for again, a back-off begins anew. A file that can't be read counts as lost.
 *
 * Every intent holds for the boot it was given in (boot_id), and for the resource of that UUID.
 */
#pragma once

#include "base/err.h"
#include "base/ident.h"
#include "base/record.h"

enum intent_stop {
	INTENT_RUN,     /* as the manifest says */
	INTENT_BY_HAND, /* `manor stop`: until `manor start` or a host boot */
	INTENT_INSIDE,  /* it powered itself off: until then, or a change of its manifest */
	INTENT_SAVED,   /* `manor save`: until `manor restore`, `manor start` or a host boot */
	INTENT_CRASHED, /* likewise, it crashed and on_crash keeps it off */
	INTENT_WATCHDOG, /* likewise, its watchdog ran out and on_watchdog keeps it off */
};
extern const char *const intent_stop_words[]; /* "no", "by-hand", "inside", …, NULL */

struct intent_domain {
	struct record rec;
	const char *uuid;
	const char *boot_id;
	int stopped;           /* enum intent_stop */
	int64_t since;         /* of the stop or the pause; seconds since the epoch */
	const char *digest;    /* INTENT_INSIDE, _CRASHED, _WATCHDOG: of what the manifest said then */
	uint64_t timeout;      /* for the guest to shut down, where asked for; 0: the manifest's */
	bool at_once;          /* it isn't asked to shut down at all */
	int64_t restart_domid; /* restart asked for while the domain had this id; 0: not */
	int64_t paused_domid;  /* `manor pause` while the domain had this id; 0: not */
	int64_t unpaused_domid; /* `manor unpause`, until it is done */
	int64_t adopt_domid;   /* `manor adopt`: somebody else's domain of this id is to be ours; 0: none */
	bool discard_saved;    /* it is to start anew, and what was saved of it to go */
	bool rebuild;          /* `manor rebuild`: its clones that are behind are to be made anew */
	int64_t crashes;       /* in a row */
	int64_t crashed;       /* when the last was seen */
};

struct intent_facts {
	struct record rec;
	struct map domains; /* name → struct intent_domain */
	struct map saved;   /* name → struct saved_domain: host/save.h's, which intent_read() leaves alone */
};

int intent_read(struct arena *a, struct intent_facts *ret, struct err *e);

/* Each changes its part and leaves the rest, but for what belongs to another UUID or an earlier boot,
 * which is dropped. `now`: seconds since the epoch. */
struct intent_who {
	const char *name, *uuid, *boot_id;
	int64_t now;
};
#define INTENT_TIMEOUT_LEFT -1 /* the manifest's; 0: the guest isn't asked, but destroyed at once */
int intent_stop(const struct intent_who *who, enum intent_stop how, const char *digest,
		int64_t timeout_s, struct err *e);
int intent_start(const struct intent_who *who, struct err *e); /* clears stop and crashes */
int intent_restart(const struct intent_who *who, int64_t domid, int64_t timeout_s, struct err *e);
/* While the domain has this id. The second ends the first and lets that domain go on, whoever paused it (0: that
 * was done). */
int intent_pause(const struct intent_who *who, int64_t domid, struct err *e);
int intent_unpause(const struct intent_who *who, int64_t domid, struct err *e);
/* While that domain is somebody else's and has this id; ends whatever was asked for of an earlier one. */
int intent_adopt(const struct intent_who *who, int64_t domid, struct err *e);
/* Until it is started anew, without what was saved of it. */
int intent_discard(const struct intent_who *who, struct err *e);
/* Until it is started from new clones. */
int intent_rebuild(const struct intent_who *who, struct err *e);
/* The `crashes`-th in a row. */
int intent_crash(const struct intent_who *who, int64_t crashes, struct err *e);
int intent_forget(const char *name, struct err *e); /* the domain left the manifest */

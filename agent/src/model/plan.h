/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The plan: one array of steps, plain data. The text, the JSON, the progress and the executor read
 * that same array.
 */
#pragma once

#include "base/ident.h"
#include "model/diff.h"

struct actual;
struct kind;
struct resource;

enum action {
	ACTION_CREATE,  /* absent, or half-made and to be made again */
	ACTION_UPDATE,  /* while it runs */
	ACTION_RESTART, /* stop and start with the new values; disks kept */
	ACTION_REBUILD, /* made anew from what it should come from; what was there is kept aside */
	ACTION_REMOVE,  /* ours, no longer wanted */
	ACTION_START,   /* there, wanted running, isn't */
	ACTION_STOP,    /* there, wanted stopped (a person's intent) */
	ACTION_SETTLE,  /* clear away what ended by itself, and keep note of it */
	ACTION_PAUSE,   /* it must not go on as it is (its pool is full) */
	ACTION_RESUME,  /* what it was paused for is over */
	ACTION_SAVE,    /* what it has in memory is kept, and it ends */
	ACTION_AWAIT,   /* started, and not known to be ready: wait for that, aside */
	ACTION_ADOPT,   /* somebody else's by now, and just as is wanted: to be ours, as it runs */
	ACTION_RESTORE, /* absent, or half-made, and to go on where it was saved */
	ACTION_FORGET,  /* not wanted, and absent: what a person asked for of it goes too */
};
extern const char *const action_words[]; /* "create", "update", … */

enum hold {
	HOLD_NO,       /* to be done */
	HOLD_IMPACT,   /* above what is allowed: shown as pending */
	HOLD_CONFLICT, /* something foreign is in the way: an error, nothing is done */
	HOLD_UNKNOWN,  /* the host could not be read: nothing is done about it */
	HOLD_WAIT,     /* not before `not_before` (a restart's back-off) */
	HOLD_NEEDS,    /* depends on a step that is held */
};
extern const char *const hold_words[];

struct step_dep {
	size_t step;   /* index in the plan */
	bool required; /* its failure stops this one too; else only the order counts */
};

struct step {
	char *id; /* "domain/web:update" */
	enum action action;
	const struct kind *kind;
	const char *name;
	char uuid[UUID_TEXT];
	const struct resource *want; /* NULL for removals; gone after JSON */
	void *want_record;           /* by kind->table, or NULL */
	void *have_record;           /* what the plan saw, or NULL: absent */
	bool half_made;              /* what the plan saw was half-made */
	struct changes changes;
	const char *why;    /* in a few words: "memory: 512 MiB → 1 GiB", "rebooted from inside" */
	const char *loses;  /* what is lost, for the text's capitals; NULL: nothing */
	enum impact impact;
	enum hold hold;
	const char *hold_why;
	struct span hold_span;  /* the place to blame in the manifest; empty: the resource itself */
	int64_t not_before;     /* HOLD_WAIT */
	struct step_dep *after;
	size_t n_after;
	const char *serial;     /* steps of one name run one at a time ("vg/vg0"); NULL */
	unsigned timeout_s;
	uint64_t bytes;         /* estimate of data to write; 0: none to speak of */
	/* Takes long and touches nothing that runs (a fetch): it is safe to cut off at any time, and keeps
	 * neither a job nor the lock from others meanwhile. */
	bool aside;
	bool dropped;           /* decide() said that nothing is to be done after all: taken out */
};

struct plan_note { /* left alone and said so, or worth a warning */
	const char *subject; /* "domain/rescue" */
	const char *text;    /* "foreign" … */
	enum { NOTE_FOREIGN, NOTE_WARNING, NOTE_UNKNOWN, NOTE_KEPT } type;
};

struct plan {
	struct arena *arena;
	struct step *steps; /* in an order that respects `after` */
	size_t n;
	struct plan_note *notes;
	size_t n_notes;
	size_t n_resources; /* wanted */
	enum impact allowed;
	const char *host;       /* its name */
	const char *refusal;    /* the whole plan is refused (removes too much …): nothing is applied */
	const char *refusal_help;
	char manifest_sha256[SHA256_TEXT];
};

struct plan *plan_new(void);
void plan_free(struct plan *p);
void plan_freep(struct plan **p);
#define _cleanup_plan_ _cleanup_(plan_freep)

/* Adds a step with the kind's usual time limit; pointers stay valid until the next plan_add. */
struct step *plan_add(struct plan *p, enum action action, const struct kind *k, const char *name,
		      const char *uuid);
/* A thing is made anew, whatever else differs of it: its other steps are dropped. NULL: that was said already. */
struct step *plan_rebuild(struct plan *p, const struct kind *k, const struct resource *want);
void plan_note(struct plan *p, int type, const char *subject, const char *text);
void step_after(struct plan *p, struct step *s, size_t other, bool required);
/* The same for one that it doesn't wait for yet, without looking. */
void step_after_new(struct plan *p, struct step *s, size_t other, bool required);
void step_hold(struct step *s, enum hold hold, const char *why); /* the first reason stays */
/* The same, told at a place of the manifest. */
void step_hold_at(struct step *s, enum hold hold, struct span at, const char *why);
bool step_todo(const struct step *s); /* not held */
/* What it is about could not be read: whether anything is to be done isn't known. */
bool step_unknown(const struct step *s);
/* Whether what it is about runs anew then. */
bool step_starts(const struct step *s);
/* An error as the manifest's author sees it: at the line that asked for the step. `path`: the field that it is about, or NULL. */
struct diag *step_diag(struct diags *d, const struct step *s, const char *path, const char *message);
/* For decide(): nothing is to be done after all (a domain that a person stopped). */
static inline void step_drop(struct step *s)
{
	s->dropped = true;
}
/* Any step at all / any that will be done. */
size_t plan_todo(const struct plan *p);

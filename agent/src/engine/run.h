/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Walking a plan: which step may start now, and what follows from how one ended. It starts nothing
 * itself: the agent drives it with workers, the golden tests in their own process.
 */
#pragma once

#include "base/err.h"
#include "model/plan.h"

enum run_state {
	RUN_WAITING,
	RUN_RUNNING,
	RUN_DONE,
	RUN_FAILED,
	RUN_SKIPPED, /* what it needs failed, or the run was stopped */
	RUN_HELD,
};
extern const char *const run_state_words[];

struct run {
	const struct plan *plan;
	enum run_state *states; /* one a step */
	size_t jobs;            /* at most so many at a time, and as many aside of them */
	size_t *at_work;        /* those that are running */
	size_t running;         /* so many */
	size_t aside;           /* of them aside (see struct step) */
	bool stopped;           /* nothing new starts */
};

void run_init(struct run *r, const struct plan *plan, size_t jobs);
void run_done(struct run *r);
/* A step that may start now, marked as running; SIZE_MAX: none at the moment. */
size_t run_pick(struct run *r);
/* How step `i` ended: 0, or negative. What needs it is skipped. */
void run_finish(struct run *r, size_t i, int result);
/* A step under way was cut off on request: neither done nor failed. */
void run_drop(struct run *r, size_t i);
/* Nothing new starts; what runs goes on to its end. */
void run_stop(struct run *r);
bool run_over(const struct run *r);
size_t run_count(const struct run *r, enum run_state state);

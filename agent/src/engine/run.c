/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Walking a plan.
 */
#include "engine/run.h"

const char *const run_state_words[] = {
	"waiting", "running", "done", "failed", "skipped", "held", NULL,
};

void run_init(struct run *r, const struct plan *plan, size_t jobs)
{
	*r = (struct run){.plan = plan, .jobs = jobs ? jobs : 1};
	r->states = xcalloc(plan->n, sizeof(*r->states));
	r->at_work = xcalloc(plan->n, sizeof(*r->at_work));
	for (size_t i = 0; i < plan->n; i++)
		if (!step_todo(&plan->steps[i]))
			r->states[i] = RUN_HELD;
}

void run_done(struct run *r)
{
	free(r->states);
	free(r->at_work);
	r->states = NULL;
	r->at_work = NULL;
}

static bool serial_busy(const struct run *r, const char *serial)
{
	for (size_t i = 0; serial && i < r->running; i++)
		if (streq(r->plan->steps[r->at_work[i]].serial, serial))
			return true;
	return false;
}

size_t run_pick(struct run *r)
{
	bool room = r->running - r->aside < r->jobs, room_aside = r->aside < r->jobs;

	if (r->stopped || (!room && !room_aside))
		return SIZE_MAX;
	for (size_t i = 0; i < r->plan->n; i++) {
		const struct step *s = &r->plan->steps[i];
		bool ready = r->states[i] == RUN_WAITING && (s->aside ? room_aside : room);

		for (size_t j = 0; ready && j < s->n_after; j++) {
			enum run_state other = r->states[s->after[j].step];

			/* A required one that failed has skipped this one already. */
			if (other == RUN_WAITING || other == RUN_RUNNING)
				ready = false;
		}
		if (!ready || serial_busy(r, s->serial))
			continue;
		r->states[i] = RUN_RUNNING;
		r->at_work[r->running++] = i;
		r->aside += s->aside;
		return i;
	}
	return SIZE_MAX;
}

/* What needs a step that failed or is skipped is skipped. A plan is sorted: one pass finds them all. */
static void skip(struct run *r, size_t failed)
{
	for (size_t i = failed + 1; i < r->plan->n; i++) {
		const struct step *s = &r->plan->steps[i];

		for (size_t j = 0; r->states[i] == RUN_WAITING && j < s->n_after; j++) {
			enum run_state other = r->states[s->after[j].step];

			if (s->after[j].required && (other == RUN_FAILED || other == RUN_SKIPPED))
				r->states[i] = RUN_SKIPPED;
		}
	}
}

static void leave_work(struct run *r, size_t i)
{
	for (size_t j = 0; j < r->running; j++) {
		if (r->at_work[j] != i)
			continue;
		r->at_work[j] = r->at_work[--r->running];
		r->aside -= r->plan->steps[i].aside;
		return;
	}
}

void run_finish(struct run *r, size_t i, int result)
{
	leave_work(r, i);
	r->states[i] = result < 0 ? RUN_FAILED : RUN_DONE;
	if (result < 0)
		skip(r, i);
}

void run_drop(struct run *r, size_t i)
{
	leave_work(r, i);
	r->states[i] = RUN_SKIPPED;
	skip(r, i);
}

void run_stop(struct run *r)
{
	r->stopped = true;
	for (size_t i = 0; i < r->plan->n; i++)
		if (r->states[i] == RUN_WAITING)
			r->states[i] = RUN_SKIPPED;
}

bool run_over(const struct run *r)
{
	return r->running == 0 && run_count(r, RUN_WAITING) == 0;
}

size_t run_count(const struct run *r, enum run_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < r->plan->n; i++)
		n += r->states[i] == state;
	return n;
}

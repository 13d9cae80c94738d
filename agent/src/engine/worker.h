/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A process of its own for whatever calls into the host: `/proc/self/exe worker …`, exec'ed because
 * libxl and libxenstore have threads and own SIGCHLD. The request goes in as JSON on standard input;
 * lines of JSON come back on standard output:
 *
 *   {"progress": "fetching", "done": 1, "total": 2}
 *   {"result": 0, "text": "…", "value": …}   or   {"result": -5, "error": {message, help, path}}
 *
 * A crash in a library is thus one failed step with a name.
 *
 * One that is kept (`keep`) may be given another request once it has answered: opening libraries costs as much as many
 * a step. It ends when its input does.
 */
#pragma once

#include <json-c/json.h>
#include <systemd/sd-event.h>

#include "base/err.h"

struct worker;

struct worker_spec {
	const char *name;        /* for messages: "step domain/web:create" */
	const char *const *args; /* behind "worker", NULL-terminated */
	json_object *request;    /* borrowed; NULL: empty input */
	unsigned timeout_ms;     /* then SIGTERM, and SIGKILL after a grace; 0: none */
	bool gentle;             /* never SIGKILL: LVM in the middle of metadata must end by itself */
	const char *keep;        /* one that answered under the same word for the same owner does it, if there is one;
				  * and it is kept in turn: see workers_let_go(). NULL: a process of its own */
	const void *owner;
	int lock_fd;             /* inherited until it ends, or -1 (see engine/store.h): without one it
				  * is a reading, which is given up when it doesn't die */
	/* Any may be NULL. `progress` borrows its text. `ended` comes last and exactly once; `value` is
	 * borrowed; result 0 or a negative errno with `e` filled. */
	void (*progress)(void *data, const char *what, uint64_t done, uint64_t total);
	void (*ended)(void *data, int result, const char *text, json_object *value, struct err *e);
	void *data;
};

/* Leaves SIGCHLD, and the signals that ask a process to end or to read anew, to the event loop: to be
 * called before the first worker starts. Workers themselves begin with none blocked. */
void worker_block_signals(void);
int worker_start(sd_event *loop, const struct worker_spec *spec, struct worker **ret,
		 struct err *e);
/* Whether one of that name without a lock was given up and hasn't died yet: it hangs in the kernel, and
 * another would hang beside it. */
bool worker_hangs(const char *name);
/* Ends those that are kept for this owner and have nothing to do. They have its lock until then. */
void workers_let_go(const void *owner);
/* Asks it to end early (SIGTERM), and unless it is gentle makes it, after the same grace; `ended` still
 * comes. */
void worker_stop(struct worker *w);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Processes of xl that look after domains. `xl create` leaves one behind for each domain that it made, unless it was
 * told -e: it waits for the domain's end, and then destroys or starts it anew as its configuration said. Nothing in
 * Xen tells which is whose; its output goes to a log that is named after the domain, and xl keeps that open.
 */
#pragma once

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/record.h"

struct xl_process {
	pid_t pid;
	const char *domain; /* what it called its domain; NULL: it is in the foreground (-F), or makes one right now */
	const char *words;  /* its command line */
};

/* List of struct xl_process, by pid. */
int xl_processes(struct arena *a, struct list *ret, struct err *e);
/* Asks it to end, and waits until it has. The domain runs on. One that has gone, or is no such process any more, is
 * fine; -ETIMEDOUT: it doesn't end. */
int xl_process_end(const struct xl_process *p, struct err *e);

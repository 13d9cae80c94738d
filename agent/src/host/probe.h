/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Whether a guest is ready, as far as one can tell from outside: what its console says, what answers.
 */
#pragma once

#include <regex.h>
#include <sys/types.h>

#include "base/err.h"

#define PROBE_LINE 4096

/* A log that grows, and may be rotated away meanwhile. */
struct probe_log {
	const char *path; /* borrowed */
	regex_t pattern;
	off_t at;    /* what comes before was looked at, or is of before */
	ino_t inode; /* 0: not seen yet */
	char line[PROBE_LINE]; /* the last one, which may go on */
	size_t n;
};

/* Looks for a line that matches a POSIX extended regular expression, from byte `from` on. -EINVAL: it is none. */
int probe_log_open(struct probe_log *l, const char *path, const char *pattern, off_t from,
		   struct err *e);
void probe_log_close(struct probe_log *l);
/* 1: there is one; 0: not so far; -ENOENT: there is no such log; or why it can't be read. */
int probe_log_look(struct probe_log *l);

/* Whether a connection is accepted: 0, or the negative errno that it failed with; -ETIMEDOUT after `ms`. */
int probe_tcp(const char *address, unsigned port, int ms);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Messages to standard error; with "<N>" before each line when systemd reads them.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static enum log_level most_level = LOG_WARN_;
static bool for_journal;

void log_init(enum log_level most, bool journal)
{
	most_level = most;
	for_journal = journal;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list ap;

	if (level > most_level)
		return;
	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	if (for_journal)
		fprintf(stderr, "<%d>%s\n", level, text);
	else
		fprintf(stderr, "manor: %s\n", text);
}

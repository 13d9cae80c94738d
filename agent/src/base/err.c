/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Errors that gain context on their way out.
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static char *format(const char *fmt, va_list ap)
{
	char *p = NULL;

	if (vasprintf(&p, fmt, ap) < 0)
		abort();
	return p;
}

static void replace(char **field, char *text)
{
	free(*field);
	*field = text;
}

void err_text(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	replace(&e->message, format(fmt, ap));
	va_end(ap);
}

void err_text_errno(struct err *e, int code, const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	replace(&e->message, xasprintf("%s: %s", text, strerror(code < 0 ? -code : code)));
}

void err_wrap(struct err *e, const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	replace(&e->message, xasprintf("%s: %s", text, e->message ? e->message : "failed"));
}

void err_help(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	replace(&e->help, format(fmt, ap));
	va_end(ap);
}

void err_at(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	replace(&e->path, format(fmt, ap));
	va_end(ap);
}

void err_move(struct err *to, struct err *from)
{
	if (to && to != from) {
		err_done(to);
		*to = *from;
		memset(from, 0, sizeof(*from));
	} else if (!to) {
		err_done(from);
	}
}

void err_done(struct err *e)
{
	if (!e)
		return;
	free(e->message);
	free(e->help);
	free(e->path);
	memset(e, 0, sizeof(*e));
}

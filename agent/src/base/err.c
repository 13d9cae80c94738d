/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Errors that gain context on their way out.
 */
#include "base/err.h"

/* `tail`: what goes behind the text after ": "; NULL: nothing. */
static void set(char **field, const char *fmt, va_list ap, const char *tail)
{
	char *text = xvasprintf(fmt, ap);

	if (tail) {
		char *whole = xasprintf("%s: %s", text, tail);

		free(text);
		text = whole;
	}
	free(*field);
	*field = text;
}

void err_text(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	set(&e->message, fmt, ap, NULL);
	va_end(ap);
}

void err_text_errno(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	set(&e->message, fmt, ap, strerror(code < 0 ? -code : code));
	va_end(ap);
}

void err_wrap(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	set(&e->message, fmt, ap, e->message ? e->message : "failed");
	va_end(ap);
}

void err_help(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	set(&e->help, fmt, ap, NULL);
	va_end(ap);
}

void err_at(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	set(&e->path, fmt, ap, NULL);
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

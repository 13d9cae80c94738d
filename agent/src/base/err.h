/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An error on its way out. What can fail for two reasons returns a negative errno and fills one of
 * these; callers who can name the resource wrap it: "template 'debian-12': open /x: No such file".
 */
#pragma once

#include "base/util.h"

struct err {
	char *message; /* owned; NULL when nothing went wrong */
	char *help;    /* owned; what to do about it, or NULL */
	char *path;    /* owned; the field at fault within its resource ("disks.root.size"), or NULL */
};

#define _cleanup_err_ _cleanup_(err_done)

/* err_set(e, code, fmt, ...): sets the message (replacing any), returns `code`, a negative errno. `e`
 * may be NULL. err_errno: the same with ": " and strerror(-code) behind the message. Macros, so that
 * who analyzes the code sees which value comes back. */
#define err_set(e, code, ...)                                                                      \
	({                                                                                         \
		int err_code_ = (code);                                                            \
		err_text((e), __VA_ARGS__);                                                        \
		err_code_;                                                                         \
	})
#define err_errno(e, code, ...)                                                                    \
	({                                                                                         \
		int err_code_ = (code);                                                            \
		err_text_errno((e), err_code_, __VA_ARGS__);                                       \
		err_code_;                                                                         \
	})
void err_text(struct err *e, const char *fmt, ...) _printf_(2, 3);
void err_text_errno(struct err *e, int code, const char *fmt, ...) _printf_(3, 4);
/* Puts "text: " before the message. Returns nothing: the caller passes its code on. */
void err_wrap(struct err *e, const char *fmt, ...) _printf_(2, 3);
/* What the operator can do; one sentence in lower case, no final stop. */
void err_help(struct err *e, const char *fmt, ...) _printf_(2, 3);
/* The field at fault, so that the diagnostic can point at the manifest's line. */
void err_at(struct err *e, const char *fmt, ...) _printf_(2, 3);
/* Moves what `from` holds into `to` (freeing what was there). */
void err_move(struct err *to, struct err *from);
void err_done(struct err *e);

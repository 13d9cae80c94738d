/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What verbs share that list what is kept, and destroy of it what they are told.
 */
#pragma once

#include "base/err.h"
#include "cli/cli.h"
#include "model/facts.h"

/* Reads the host here and now; frees what *f was before. Returns 0, or an exit code, having said why. */
int destroy_read(struct facts **f, const struct reader *const *readers, const char *verb);
/* Whether it may go on: it was said, or a person, whom `show` has shown what goes, answers so. `would`
 * ("destroy 2 removed volumes for good") is what it would do; `question` ends without its mark. Returns 0,
 * or an exit code. */
int destroy_confirm(const struct options *o, const char *verb, const char *would,
		    const char *question, void (*show)(const void *data), const void *data);
/* The executor's lock, waited for: no apply finds a thing half gone. A descriptor; negative: said why. */
int destroy_lock(const char *verb);
/* The same, for who says himself why not. -EINTR: interrupted (cli/interrupt.h). */
int destroy_lock_wait(const char *verb, struct err *e);
/* Notes in the journal how one of them ended; takes the object. `e`: NULL where it is gone. */
void destroy_journal(json_object *o, const char *event, const struct err *e);

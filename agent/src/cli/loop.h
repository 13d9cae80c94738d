/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An event loop for one command: signals blocked as workers need it.
 */
#pragma once

#include <systemd/sd-event.h>

#include "model/facts.h"
#include "model/manifest.h"

struct loop {
	sd_event *event;
	struct facts *facts;
};

int loop_init(struct loop *l); /* says why on standard error */
void loop_done(struct loop *l);

/* Observes with all readers, and what the manifest (may be NULL) names by path; NULL with a message. The
 * caller owns the facts. */
struct facts *facts_now(const struct manifest *m);
/* Of `manor facts > FILE` ("-": standard input); NULL, having said why as `verb`. */
struct facts *facts_load(const char *verb, const char *path);

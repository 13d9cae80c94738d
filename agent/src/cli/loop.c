/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An event loop for one command.
 */
#include "cli/loop.h"

#include <stdio.h>

#include "engine/worker.h"

int loop_init(struct loop *l)
{
	int r;

	worker_block_signals();
	r = sd_event_new(&l->event);
	if (r < 0)
		fprintf(stderr, "manor: no event loop: %s\n", strerror(-r));
	return r;
}

void loop_done(struct loop *l)
{
	sd_event_unref(l->event);
	facts_free(l->facts);
	l->event = NULL;
	l->facts = NULL;
}

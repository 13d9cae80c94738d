/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * That something happened to some domain: it came, it ended by itself, it went. What it was, observing
 * tells; xenstore's special watches (docs/misc/xenstore.txt in Xen's tree) fire for every domain,
 * whoever made it, @releaseDomain both when it shuts down and when it is gone.
 */
#pragma once

#include "base/err.h"

/* What is told of a domain that shut down by itself; what was destroyed, or failed to be made, "went". */
#define XEN_EVENT_SHUTDOWN "a domain ended"

/* Calls `event` for each until it returns false; blocks. Returns a negative errno when xenstore can't be
 * reached, 0 after `event` ended it. Once right at the start, for what came before the watch. */
int xen_watch(bool (*event)(void *data, const char *what), void *data, struct err *e);

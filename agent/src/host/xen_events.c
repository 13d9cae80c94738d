/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Waiting for domains to come and go.
 */
#include "host/xen_events.h"

#include <errno.h>
#include <xenstore.h>

static void close_store(struct xs_handle **x)
{
	if (*x)
		xs_close(*x);
}

int xen_watch(bool (*event)(void *data, const char *what), void *data, struct err *e)
{
	_cleanup_(close_store) struct xs_handle *x = xs_open(0);

	if (!x)
		return err_errno(e, -errno, "open xenstore");
	if (!xs_watch(x, "@introduceDomain", "a domain came") ||
	    !xs_watch(x, "@releaseDomain", "a domain ended"))
		return err_errno(e, -errno, "watch xenstore");
	for (;;) {
		unsigned n;
		char **what = xs_read_watch(x, &n);
		bool more;

		if (!what)
			return err_errno(e, -errno, "read xenstore's watch");
		more = event(data, what[XS_WATCH_TOKEN]);
		free(what);
		if (!more)
			return 0;
	}
}

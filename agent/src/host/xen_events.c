/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Waiting for domains to come and go.
 */
#include "host/xen_events.h"

#include <errno.h>

#include "host/xen_ctx.h"

#define HUSKS_MAX 4096

/* Domains that had shut down at the last look and were not cleared away. */
struct husks {
	uint32_t domids[HUSKS_MAX];
	size_t n;
};

static void close_store(struct xs_handle **x)
{
	if (*x)
		xs_close(*x);
}

static bool has(const struct husks *h, uint32_t domid)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->domids[i] == domid)
			return true;
	return false;
}

/* Whether one shut down by itself since the last look; one that was destroyed leaves nothing to see. */
static bool look(struct husks *h)
{
	_cleanup_xen_ struct xen_ctx x;
	struct husks now = {0};
	libxl_dominfo *list;
	bool news = false;
	int n;

	if (xen_ctx_open(&x, NULL) < 0)
		return true; /* rather too often than too late */
	list = libxl_list_domain(x.xl, &n);
	if (!list)
		return true;
	for (int i = 0; i < n && now.n < HUSKS_MAX; i++) {
		if (!list[i].shutdown || list[i].dying)
			continue;
		now.domids[now.n++] = list[i].domid;
		news |= !has(h, list[i].domid);
	}
	libxl_dominfo_list_free(list, n);
	*h = now;
	return news;
}

int xen_watch(bool (*event)(void *data, const char *what), void *data, struct err *e)
{
	_cleanup_(close_store) struct xs_handle *x = xs_open(0);
	struct husks husks = {0};

	if (!x)
		return err_errno(e, -errno, "open xenstore");
	if (!xs_watch(x, "@introduceDomain", "a domain came") ||
	    !xs_watch(x, "@releaseDomain", "a domain went"))
		return err_errno(e, -errno, "watch xenstore");
	for (;;) {
		unsigned n;
		char **what = xs_read_watch(x, &n);
		bool more;

		if (!what)
			return err_errno(e, -errno, "read xenstore's watch");
		more = event(data, streq(what[XS_WATCH_PATH], "@releaseDomain") && look(&husks)
					   ? XEN_EVENT_SHUTDOWN
					   : what[XS_WATCH_TOKEN]);
		free(what);
		if (!more)
			return 0;
	}
}

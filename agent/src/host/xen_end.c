/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Ending a domain: asking the guest, waiting for it, destroying what is left, sweeping device nodes
 * that a killed worker or a late hotplug script left in xenstore.
 */
#include "host/xen_ctx.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>

#define DESTROY_TRIES 5

/* Backend nodes of a domain that is gone: nobody else removes them, and a new domain with that id
 * would trip over them. */
static void sweep(struct xen_ctx *x, int64_t domid)
{
	static const char *const types[] = {"vbd", "vif", "console", "vkbd", "vfb", "qdisk"};
	libxl_dominfo info;
	char path[64];

	/* Dying counts as gone: its devices are not wanted any more. */
	if (xen_info(x, domid, &info, NULL) != -ENOENT)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		unsigned n;
		_cleanup_(freep) char **l =
			xen_dir(x, &n, "/local/domain/0/backend/%s/%d", types[i], (int)domid);

		if (!l)
			continue;
		snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%d", types[i], (int)domid);
		xs_rm(x->xs, XBT_NULL, path);
	}
}

int xen_end(struct xen_ctx *x, int64_t domid, struct err *e)
{
	libxl_dominfo info;
	int rc = 0;

	for (int i = 0; i < DESTROY_TRIES; i++) {
		int r = xen_info(x, domid, &info, e);

		if (r == -ENOENT) {
			sweep(x, domid);
			return 0;
		}
		if (r < 0)
			return r;
		rc = libxl_domain_destroy(x->xl, (uint32_t)domid, NULL);
		if (rc == 0) {
			sweep(x, domid);
			return 0;
		}
		/* Somebody else may be destroying it just now: then it will be gone in a moment. */
		usleep(300000);
	}
	return xen_fail(x, e, -EIO, rc, "destroy domain %lld", (long long)domid);
}

int xen_destroy(int64_t domid, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	int r = xen_ctx_open(&x, e);

	return r < 0 ? r : xen_end(&x, domid, e);
}

/* Waits until something in Xen changed, or a second: the watch only makes it quicker. */
static void doze(struct xen_ctx *x)
{
	struct pollfd p = {.fd = xs_fileno(x->xs), .events = POLLIN};

	if (poll(&p, 1, 1000) > 0) {
		char **event = xs_check_watch(x->xs);

		free(event);
	}
}

int xen_shutdown(int64_t domid, unsigned timeout_s, const struct xen_watcher *w, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_dominfo info;
	double until = xen_clock() + timeout_s;
	int told = -1, rc, r;

	r = xen_open_domain(&x, domid, &info, e);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (info.shutdown)
		return 0;
	xs_watch(x.xs, "@releaseDomain", "shutdown");
	rc = libxl_domain_shutdown(x.xl, (uint32_t)domid, NULL);
	if (rc)
		return xen_fail(&x, e, -ETIMEDOUT, rc, "the guest can't be asked to shut down");
	if (info.paused)
		libxl_domain_unpause(x.xl, (uint32_t)domid, NULL);
	for (;;) {
		double left = until - xen_clock();

		r = xen_info(&x, domid, &info, e);
		if (r == -ENOENT || (r == 0 && info.shutdown))
			return 0;
		if (r < 0)
			return r;
		if (left <= 0)
			return err_set(e, -ETIMEDOUT, "did not shut down within %us", timeout_s);
		if (told != (int)left) {
			told = (int)left;
			xen_tell(w, "waiting for the guest to shut down, at most %ds more",
				 (int)ceil(left));
		}
		doze(&x);
	}
}

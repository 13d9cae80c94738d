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
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>

#include "base/file.h"
#include "base/num.h"

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

#define SPARE (UINT64_C(64) << 20) /* that a core leaves free where it goes */

static int room_for(const char *path, uint64_t memory, struct err *e)
{
	_cleanup_(freep) char *folder = xstrdup(path);
	char need[NUM_TEXT], have[NUM_TEXT];
	struct statvfs v;
	int r;

	*strrchr(folder, '/') = '\0';
	r = file_mkdirs(folder, 0700, e);
	if (r < 0)
		return r;
	if (statvfs(folder, &v) < 0)
		return err_errno(e, -errno, "look at %s", folder);
	if ((uint64_t)v.f_bavail * v.f_frsize >= memory + SPARE)
		return 0;
	return err_set(e, -ENOSPC, "it takes %s, and %s has %s", num_size(need, memory + SPARE),
		       folder, num_size(have, (uint64_t)v.f_bavail * v.f_frsize));
}

int xen_core(int64_t domid, const char *path, uint64_t memory, struct err *e)
{
	_cleanup_(freep) char *fresh = xasprintf("%s.new", path);
	_cleanup_xen_ struct xen_ctx x;
	int r, rc;

	/* One that was cut off takes the room of this one. */
	unlink(fresh);
	r = room_for(path, memory, e);
	if (r < 0)
		return r;
	r = xen_ctx_open(&x, e);
	if (r < 0)
		return r;
	rc = libxl_domain_core_dump(x.xl, (uint32_t)domid, fresh, NULL);
	if (rc)
		r = xen_fail(&x, e, -EIO, rc, "write the memory of domain %lld", (long long)domid);
	else if (chmod(fresh, 0600) < 0 || rename(fresh, path) < 0)
		r = err_errno(e, -errno, "write %s", path);
	if (r < 0)
		unlink(fresh);
	return r;
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

struct answer {
	bool given;
	int rc;
};

static void answered(libxl_ctx *ctx, int rc, void *data)
{
	struct answer *a = data;

	a->given = true;
	a->rc = rc;
}

/* Lets libxl go on with what it does meanwhile, for a second at most. */
static void pump(struct xen_ctx *x)
{
	struct timeval now;
	struct pollfd fds[64];
	int n = ARRAY_SIZE(fds), wait_ms = 1000;

	gettimeofday(&now, NULL); /* libxl reckons in this clock */
	if (libxl_osevent_beforepoll(x->xl, &n, fds, &wait_ms, now)) {
		usleep(100000);
		return;
	}
	if (wait_ms < 0 || wait_ms > 1000)
		wait_ms = 1000;
	poll(fds, (nfds_t)n, wait_ms);
	gettimeofday(&now, NULL);
	libxl_osevent_afterpoll(x->xl, n, fds, now);
}

static void tell_left(const struct xen_watcher *w, double left, int *told)
{
	int s = (int)ceil(left);

	if (s == *told || s < 0)
		return;
	*told = s;
	xen_tell(w, "waiting for the guest to shut down, at most %ds more", s);
}

/* Nobody has waited for it yet, so nobody may end it for that. */
static int cannot(struct xen_ctx *x, int rc, const char *what, struct err *e)
{
	err_help(e, "`manor stop NAME --timeout 0s` ends it as if its power were cut");
	return xen_fail(x, e, -EIO, rc, "%s", what);
}

/* Asks until the guest has taken notice; libxl itself gives up after a minute, which a guest that still boots may take.
 * One without Xen's drivers can't be asked: its power button is pressed. */
static int ask(struct xen_ctx *x, int64_t domid, double until, const struct xen_watcher *w,
	       int *told, struct err *e)
{
	libxl_dominfo info;

	for (;;) {
		struct answer a = {0};
		libxl_asyncop_how how = {.callback = answered, .u.for_callback = &a};
		bool late = false;
		int r, rc = libxl_domain_shutdown(x->xl, (uint32_t)domid, &how);

		if (rc == ERROR_NOPARAVIRT) {
			xen_tell(w,
				 "the guest has no drivers for Xen: its power button is pressed");
			rc = libxl_send_trigger(x->xl, (uint32_t)domid, LIBXL_TRIGGER_POWER, 0,
						NULL);
			return rc ? cannot(x, rc, "the guest's power button can't be pressed", e)
				  : 0;
		}
		if (rc)
			return cannot(x, rc, "the guest can't be asked to shut down", e);
		while (!a.given) {
			double left = until - xen_clock();

			if (left <= 0 && !late) {
				late = true;
				libxl_ao_abort(x->xl, &how);
			} else
				tell_left(w, left, told);
			pump(x);
		}
		if (a.rc == 0)
			return 0;
		r = xen_info(x, domid, &info, e);
		if (r == -ENOENT || (r == 0 && info.shutdown))
			return 0;
		if (r < 0)
			return r;
		if (xen_clock() >= until)
			return err_set(e, -ETIMEDOUT, "took no notice of being asked to shut down");
		if (a.rc != ERROR_TIMEDOUT)
			return cannot(x, a.rc, "the guest can't be asked to shut down", e);
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
	/* First, for only a guest that runs takes notice of anything. */
	rc = info.paused ? libxl_domain_unpause(x.xl, (uint32_t)domid, NULL) : 0;
	if (rc)
		return cannot(&x, rc, "the guest can't be let go on to shut down", e);
	r = ask(&x, domid, until, w, &told, e);
	if (r < 0)
		return r;
	for (;;) {
		double left = until - xen_clock();

		r = xen_info(&x, domid, &info, e);
		if (r == -ENOENT || (r == 0 && info.shutdown))
			return 0;
		if (r < 0)
			return r;
		if (left <= 0)
			return err_set(e, -ETIMEDOUT, "did not shut down within %us", timeout_s);
		tell_left(w, left, &told);
		doze(&x);
	}
}

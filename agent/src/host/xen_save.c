/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a guest has in memory, written out. The guest takes part: asked through xenstore it quiesces its devices
 * and suspends; only then is its memory read, so nothing of it changes any more. Not as a live migration does,
 * which reads it while it changes: that needs log-dirty, which Xen has not for every type.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "host/xen_ctx.h"

#define SAVES_MAX 1000000

static int mark(struct xen_ctx *x, int64_t domid, int64_t tries, struct err *e)
{
	char value[48];

	if (tries)
		snprintf(value, sizeof(value), "%lld %lld", (long long)tries,
			 (long long)time(NULL));
	else
		snprintf(value, sizeof(value), "0");
	return xen_put(x, e, value, "/local/domain/%d/manor/saving", (int)domid);
}

void xen_read_saving(struct xen_ctx *x, int64_t domid, int64_t *ret_tries, int64_t *ret_since)
{
	_cleanup_(freep) char *text = xen_get(x, "/local/domain/%d/manor/saving", (int)domid);
	char *rest = text;

	*ret_tries = text ? MAX_OF(strtoll(text, &rest, 10), 0) : 0;
	*ret_since = *ret_tries && *rest == ' ' ? MAX_OF(strtoll(rest, NULL, 10), 0) : 0;
}

/* Fast, as Xen calls it: the guest finds out by itself that it was not restored elsewhere. */
static int go_on(struct xen_ctx *x, int64_t domid, struct err *e)
{
	int rc = libxl_domain_resume(x->xl, (uint32_t)domid, 1, NULL);

	return rc ? xen_fail(x, e, -EIO, rc, "let it go on") : 0;
}

/* To be saved it has to run for a moment, and take part: not what never ran, since it was made or in a life before,
 * and not who is paused lest a pool runs full. */
static int may_run(struct xen_ctx *x, const libxl_dominfo *info, struct err *e)
{
	_cleanup_(freep) char *why = xen_get(x, "/local/domain/%u/manor/paused", info->domid);
	_cleanup_arena_ struct arena *a = arena_new();
	struct xen_domain d = {.domid = info->domid, .ran = info->cpu_time > 0};

	if (!info->paused)
		return 0;
	xen_read_mark(x, a, &d);
	if (!xen_has_past(&d))
		return err_set(e, -EBUSY, "it never ran, so there is nothing to save");
	if (startswith(why, "pool")) {
		err_help(e, "free room in it first, or stop the guest");
		return err_set(e, -EBUSY,
			       "it is paused because %s is full, and would have to run to be saved",
			       why);
	}
	return 0;
}

int xen_save(int64_t domid, int fd, const struct xen_watcher *w, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	_cleanup_err_ struct err ignored = {0};
	libxl_dominfo info;
	int64_t tries, since;
	int rc, r = xen_open_domain(&x, domid, &info, e);

	if (r == 0 && info.shutdown)
		r = err_set(e, -ESRCH, "it has ended by itself");
	if (r == 0)
		r = may_run(&x, &info, e);
	if (r == 0) {
		xen_read_saving(&x, domid, &tries, &since);
		r = mark(&x, domid, 1 + MIN_OF(tries, (int64_t)SAVES_MAX), e);
	}
	if (r < 0)
		return r;
	if (info.paused)
		libxl_domain_unpause(x.xl, (uint32_t)domid, NULL);
	xen_tell(w, "writing what it has in memory: %llu MiB",
		 (unsigned long long)info.current_memkb / 1024);
	rc = libxl_domain_suspend(x.xl, (uint32_t)domid, fd, 0, NULL);
	if (rc == 0)
		return 0;
	if (rc == ERROR_GUEST_TIMEDOUT) {
		/* It has not suspended, so there is nothing to resume; if it does later, its mark tells why. */
		err_help(e, "its kernel may lack Xen's drivers, or hang: stop it instead");
		r = xen_fail(&x, e, -ETIMEDOUT, rc,
			     "the guest did not suspend when it was asked to");
	} else {
		r = xen_fail(&x, e, -EIO, rc, "Xen did not save it");
		if (go_on(&x, domid, &ignored) == 0)
			(void)mark(&x, domid, 0, &ignored);
	}
	if (info.paused)
		libxl_domain_pause(x.xl, (uint32_t)domid, NULL);
	return r;
}

int xen_unsuspend(int64_t domid, bool over, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_dominfo info;
	int r = xen_open_domain(&x, domid, &info, e);

	if (r == 0 && info.shutdown)
		r = go_on(&x, domid, e);
	return r == 0 && over ? mark(&x, domid, 0, e) : r;
}

int xen_save_over(int64_t domid, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_dominfo info;
	int r = xen_open_domain(&x, domid, &info, e);

	if (r == 0 && info.shutdown)
		r = err_set(e, -ESRCH, "it has ended by itself");
	return r < 0 ? r : mark(&x, domid, 0, e);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Waiting until a guest is ready.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "host/probe.h"
#include "host/xen_ctx.h"

#define POLL_US    250000
#define CONNECT_MS 1000

struct awaiting {
	struct xen_ctx x;
	int64_t domid;
	const struct xen_probe *p;
	struct probe_log log;
	bool logged;
	char path[128];
	char last[256]; /* what was seen last */
};

static bool console_says(struct awaiting *a)
{
	int r = probe_log_look(&a->log);

	if (r == -ENOENT)
		snprintf(a->last, sizeof(a->last),
			 "there is no %s: xenconsoled keeps it with --log=guest", a->path);
	else if (r < 0)
		snprintf(a->last, sizeof(a->last), "%s can't be read: %s", a->path, strerror(-r));
	else
		snprintf(a->last, sizeof(a->last), "no line of its console matches '%s'",
			 a->p->console);
	return r > 0;
}

static bool port_answers(struct awaiting *a)
{
	int r = probe_tcp(a->p->address, (unsigned)a->p->port, CONNECT_MS);

	snprintf(a->last, sizeof(a->last), "%s port %lld: %s", a->p->address, (long long)a->p->port,
		 strerror(-r));
	return r == 0;
}

static bool key_is_set(struct awaiting *a)
{
	_cleanup_(freep) char *value =
		xen_get(&a->x, "/local/domain/%d/%s", (int)a->domid, a->p->xenstore);

	if (value)
		snprintf(a->last, sizeof(a->last), "its key %s is '%.100s'", a->p->xenstore, value);
	else
		snprintf(a->last, sizeof(a->last), "it has no key %s", a->p->xenstore);
	return value && *value && !streq(value, "0");
}

static bool is_ready(struct awaiting *a)
{
	return a->p->console ? console_says(a) : a->p->address ? port_answers(a) : key_is_set(a);
}

/* Paused it will not get there, and nothing is wrong with that: time stands still for it, not for us. */
static int look(struct awaiting *a, struct err *e)
{
	libxl_dominfo info;
	int r = xen_info(&a->x, a->domid, &info, e);

	if (r == -ENOENT || (r == 0 && info.shutdown))
		return err_set(e, -ESTALE, "it ended before it was ready");
	return r < 0 ? r : is_ready(a);
}

static int await(struct awaiting *a, unsigned timeout_s, const struct xen_watcher *w, struct err *e)
{
	double until = xen_clock() + timeout_s;
	int told = -1;

	for (;;) {
		int r = look(a, e);
		double left = until - xen_clock();

		if (r < 0)
			return r;
		if (r > 0)
			return xen_put(&a->x, e, "1", "/local/domain/%d/manor/ready",
				       (int)a->domid);
		if (left <= 0) {
			err_help(e, "it runs on; what it says is in %s", a->path);
			return err_set(e, -ETIMEDOUT, "not ready within %us: %s", timeout_s,
				       a->last);
		}
		if (told != (int)left) {
			told = (int)left;
			xen_tell(w, "waiting until it is ready, at most %ds more: %s",
				 (int)ceil(left), a->last);
		}
		usleep(POLL_US);
	}
}

int xen_await(int64_t domid, const char *name, const struct xen_probe *p, unsigned timeout_s,
	      const struct xen_watcher *w, struct err *e)
{
	struct awaiting a = {.domid = domid, .p = p};
	int r;

	snprintf(a.path, sizeof(a.path), XEN_CONSOLE_LOG, name);
	if (p->console) {
		r = probe_log_open(&a.log, a.path, p->console, (off_t)p->from, e);
		if (r < 0)
			return r;
		a.logged = true;
	}
	r = xen_ctx_open(&a.x, e);
	if (r == 0)
		r = await(&a, timeout_s, w, e);
	xen_ctx_close(&a.x);
	if (a.logged)
		probe_log_close(&a.log);
	return r;
}

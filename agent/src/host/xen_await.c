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
	struct probe_log logs[2]; /* its console's, its serial port's */
	size_t n;
	char paths[2][128];
	char last[256]; /* what was seen last */
};

/* A guest whose console is Xen's has no serial log, and the other way round: what is told is of the one that there is. */
static bool console_says(struct awaiting *a)
{
	int seen = -ENOENT;
	size_t which = 0;

	for (size_t i = 0; i < a->n && seen <= 0; i++) {
		int r = probe_log_look(&a->logs[i]);

		if (seen == -ENOENT || r > 0) {
			seen = r;
			which = i;
		}
	}
	if (seen == -ENOENT)
		snprintf(a->last, sizeof(a->last),
			 "there is no %s: xenconsoled keeps it with --log=guest", a->paths[0]);
	else if (seen < 0)
		snprintf(a->last, sizeof(a->last), "%s can't be read: %s", a->paths[which],
			 strerror(-seen));
	else
		snprintf(a->last, sizeof(a->last), "no line of its console matches '%s'",
			 a->p->console);
	return seen > 0;
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
			err_help(e, "it runs on; what it says is in %s%s%s", a->paths[0],
				 a->p->serial ? " and " : "", a->p->serial ? a->paths[1] : "");
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
	const int64_t from[] = {p->from, p->serial_from};
	int r = 0;

	snprintf(a.paths[0], sizeof(a.paths[0]), XEN_CONSOLE_LOG, name);
	snprintf(a.paths[1], sizeof(a.paths[1]), XEN_SERIAL_LOG, name);
	while (r == 0 && p->console && a.n < (p->serial ? 2u : 1u)) {
		r = probe_log_open(&a.logs[a.n], a.paths[a.n], p->console, (off_t)from[a.n], e);
		a.n += r == 0;
	}
	if (r == 0)
		r = xen_ctx_open(&a.x, e);
	if (r == 0)
		r = await(&a, timeout_s, w, e);
	xen_ctx_close(&a.x);
	while (a.n > 0)
		probe_log_close(&a.logs[--a.n]);
	return r;
}

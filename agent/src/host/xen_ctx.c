/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * libxl and xenstore, opened for one call, with libxl's log lines kept for the error message.
 */
#include "host/xen_ctx.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/str.h"

#define TARGET_GAP 1024 /* KiB: LIBXL_MAXMEM_CONSTANT */

static void log_message(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
			const char *context, const char *format, va_list ap)
{
	struct xen_log *l = (struct xen_log *)logger;
	char text[XEN_LOG_LINE];

	if (level < XTL_WARN)
		return;
	vsnprintf(text, sizeof(text), format, ap);
	text[strcspn(text, "\n")] = '\0';
	if (level == XTL_WARN) {
		log_debug("%s: %s", context ? context : "libxl", text);
		return;
	}
	if (l->n == XEN_LOG_LINES) {
		/* The first says what went wrong, the last what became of it. */
		memmove(l->lines[1], l->lines[2], (XEN_LOG_LINES - 2) * sizeof(l->lines[0]));
		l->n--;
	}
	if (errnoval >= 0)
		snprintf(l->lines[l->n++], XEN_LOG_LINE, "%.200s (%.40s)", text,
			 strerror(errnoval));
	else
		snprintf(l->lines[l->n++], XEN_LOG_LINE, "%s", text);
}

static void log_destroy(struct xentoollog_logger *logger)
{
}

int xen_ctx_open(struct xen_ctx *x, struct err *e)
{
	int rc;

	*x = (struct xen_ctx){.log.vtable = {.vmessage = log_message, .destroy = log_destroy}};
	if (access("/proc/xen/capabilities", F_OK) < 0 && access("/dev/xen/privcmd", F_OK) < 0)
		return err_set(e, -ENODEV, "this machine does not run under Xen");
	rc = libxl_ctx_alloc(&x->xl, LIBXL_VERSION, 0, &x->log.vtable);
	if (rc)
		return xen_fail(x, e, -EIO, rc, "open libxl");
	x->xs = xs_open(0);
	if (!x->xs) {
		int r = err_errno(e, -errno, "open xenstore");

		xen_ctx_close(x);
		return r;
	}
	return 0;
}

void xen_ctx_close(struct xen_ctx *x)
{
	if (x->xs)
		xs_close(x->xs);
	if (x->xl)
		libxl_ctx_free(x->xl);
	x->xs = NULL;
	x->xl = NULL;
}

int xen_fail(struct xen_ctx *x, struct err *e, int code, int rc, const char *fmt, ...)
{
	_cleanup_str_ struct str text = {0};
	char what[XEN_LOG_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	str_add(&text, what);
	for (unsigned i = 0; i < x->log.n; i++)
		str_addf(&text, "%s%s", i ? "; " : ": ", x->log.lines[i]);
	if (x->log.n == 0)
		str_addf(&text, ": libxl says %s", libxl_error_to_string(rc));
	x->log.n = 0;
	return err_set(e, code, "%s", str_get(&text));
}

#define PATH_OF(fmt)                                                                               \
	char path[XENSTORE_ABS_PATH_MAX + 1];                                                       \
	va_list ap;                                                                                 \
	va_start(ap, fmt);                                                                          \
	vsnprintf(path, sizeof(path), fmt, ap);                                                     \
	va_end(ap)

#define XENSTORE_ABS_PATH_MAX 3072

char *xen_get(struct xen_ctx *x, const char *fmt, ...)
{
	PATH_OF(fmt);
	return xs_read(x->xs, XBT_NULL, path, NULL);
}

int64_t xen_get_int(struct xen_ctx *x, int64_t none, const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	char *end;
	long long v;
	PATH_OF(fmt);

	text = xs_read(x->xs, XBT_NULL, path, NULL);
	if (!text || !*text)
		return none;
	errno = 0;
	v = strtoll(text, &end, 10);
	return errno || *end ? none : v;
}

int xen_put(struct xen_ctx *x, struct err *e, const char *value, const char *fmt, ...)
{
	PATH_OF(fmt);
	if (!xs_write(x->xs, XBT_NULL, path, value, (unsigned)strlen(value)))
		return err_errno(e, -errno, "write %s to xenstore", path);
	return 0;
}

char **xen_dir(struct xen_ctx *x, unsigned *ret_n, const char *fmt, ...)
{
	char **list;
	PATH_OF(fmt);

	*ret_n = 0;
	list = xs_directory(x->xs, XBT_NULL, path, ret_n);
	return list;
}

int xen_info(struct xen_ctx *x, int64_t domid, libxl_dominfo *ret, struct err *e)
{
	int rc = libxl_domain_info(x->xl, ret, (uint32_t)domid);

	if (rc == ERROR_DOMAIN_NOTFOUND || (rc == 0 && ret->dying)) {
		x->log.n = 0;
		return err_set(e, -ENOENT, "no domain has the id %lld", (long long)domid);
	}
	if (rc)
		return xen_fail(x, e, -EIO, rc, "look at domain %lld", (long long)domid);
	return 0;
}

double xen_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void xen_tell(const struct xen_watcher *w, const char *fmt, ...)
{
	char text[XEN_LOG_LINE];
	va_list ap;

	if (!w || !w->progress)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	w->progress(w->data, text);
}

int xen_open_domain(struct xen_ctx *x, int64_t domid, libxl_dominfo *ret, struct err *e)
{
	int r = xen_ctx_open(x, e);

	return r < 0 ? r : xen_info(x, domid, ret, e);
}

int64_t xen_target_kb(struct xen_ctx *x, const libxl_dominfo *info)
{
	int64_t target = xen_get_int(x, -1, "/local/domain/%u/memory/target", info->domid);

	if (target < 0)
		return (int64_t)info->current_memkb;
	target += MAX_OF(xen_get_int(x, 0, "/local/domain/%u/memory/videoram", info->domid),
			 INT64_C(0));
	return target + xen_target_gap(info, target, xen_target_most(x, info));
}

int64_t xen_target_most(struct xen_ctx *x, const libxl_dominfo *info)
{
	return xen_get_int(x, (int64_t)info->max_memkb, "/local/domain/%u/memory/static-max",
			   info->domid);
}

int64_t xen_target_gap(const libxl_dominfo *info, int64_t kb, int64_t most)
{
	return info->domain_type == LIBXL_DOMAIN_TYPE_HVM && kb < most ? TARGET_GAP : 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The backend's directory in xenstore.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "hotplug/hotplug.h"

#define TRIES 200 /* xenstore refuses a transaction when another touched the same keys */

char *store_read(struct device *d, const char *key)
{
	char path[XENSTORE_ABS_PATH_MAX];
	unsigned n;

	snprintf(path, sizeof(path), "%s/%s", d->path, key);
	return xs_read(d->xs, XBT_NULL, path, &n);
}

static int write_all(struct device *d, xs_transaction_t t, va_list ap)
{
	char path[XENSTORE_ABS_PATH_MAX];
	_cleanup_(freep) char *there = NULL;
	const char *key;
	unsigned n;

	snprintf(path, sizeof(path), "%s/frontend", d->path);
	there = xs_read(d->xs, t, path, &n);
	if (!there)
		return fail(d, "the device is gone");
	while ((key = va_arg(ap, const char *))) {
		const char *value = va_arg(ap, const char *);

		if (key[0] == '/')
			snprintf(path, sizeof(path), "%s", key);
		else
			snprintf(path, sizeof(path), "%s/%s", d->path, key);
		if (!xs_write(d->xs, t, path, value, (unsigned)strlen(value)))
			return fail(d, "write %s to xenstore: %s", path, strerror(errno));
	}
	return 0;
}

int store_write(struct device *d, ...)
{
	for (int i = 0; i < TRIES; i++) {
		xs_transaction_t t = xs_transaction_start(d->xs);
		va_list ap;
		int r;

		if (t == XBT_NULL)
			return fail(d, "write to xenstore: %s", strerror(errno));
		va_start(ap, d);
		r = write_all(d, t, ap);
		va_end(ap);
		if (r < 0) {
			xs_transaction_end(d->xs, t, true);
			return r;
		}
		if (xs_transaction_end(d->xs, t, false))
			return 0;
		if (errno != EAGAIN)
			return fail(d, "write to xenstore: %s", strerror(errno));
	}
	return fail(d, "xenstore is too busy");
}

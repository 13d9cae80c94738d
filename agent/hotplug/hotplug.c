/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor-hotplug: which device it is about, and how it ended.
 */
#include "hotplug/hotplug.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenstore.h>

#define TIME_LIMIT_S 30 /* libxl gives up after 40 */

int fail(struct device *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->error, sizeof(d->error), fmt, ap);
	va_end(ap);
	return -1;
}

static bool is_one_of(const char *word, const char *one, const char *other)
{
	return streq(word, one) || streq(word, other);
}

/* A word of the command line, `type_if=` among them, or of the environment. */
static const char *setting(int argc, char **argv, const char *name)
{
	size_t n = strlen(name);

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=')
			return argv[i] + n + 1;
	return getenv(name);
}

static int act(struct device *d, bool nic, bool add)
{
	if (nic)
		return add ? nic_add(d) : nic_remove(d);
	return add ? block_add(d) : block_remove(d);
}

int hotplug(int argc, char **argv)
{
	struct device d = {.path = getenv("XENBUS_PATH")};
	const char *command = NULL, *type;
	bool nic, add;
	int r;

	for (int i = 1; i < argc && !command; i++)
		if (!strchr(argv[i], '='))
			command = argv[i];
	if (!command ||
	    !(is_one_of(command, "add", "online") || is_one_of(command, "remove", "offline"))) {
		fprintf(stderr, "usage: manor-hotplug add|remove|online|offline [type_if=vif|tap]\n"
				"libxl runs this for a guest's disks and NICs\n");
		return 2;
	}
	/* libxl says it relative to dom0's own folder, as xenstore takes it. */
	if (!d.path || !*d.path || strlen(d.path) > XENSTORE_REL_PATH_MAX - 64) {
		fprintf(stderr, "manor-hotplug: XENBUS_PATH is not set\n");
		return 2;
	}
	add = is_one_of(command, "add", "online");
	type = setting(argc, argv, "type_if");
	nic = type || getenv("vif") || getenv("INTERFACE") || strstr(d.path, "backend/vif/");
	d.tap = streq(type, "tap");
	d.interface = getenv(d.tap ? "INTERFACE" : "vif");

	/* Whatever hangs: libxl sees a device that failed, not one that never comes. */
	alarm(TIME_LIMIT_S);
	d.xs = xs_open(0);
	if (!d.xs) {
		perror("manor-hotplug: connect to xenstore");
		return 1;
	}
	r = act(&d, nic, add);
	if (r < 0) {
		char why[sizeof(d.error)];

		memcpy(why, d.error, sizeof(why));
		fprintf(stderr, "manor-hotplug: %s %s: %s\n", command, d.path, why);
		if (add)
			store_write(&d, "hotplug-error", why, "hotplug-status", "error", NULL);
	}
	alarm(0);
	xs_close(d.xs);
	return r < 0 ? 1 : 0;
}

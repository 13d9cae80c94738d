/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A guest's disk: blkback is told which block device it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <xenstore.h>

#include "hotplug/hotplug.h"

#define BACKENDS "backend/vbd" /* relative: below our own domain */
#define LOCK     "/run/manor-hotplug-block.lock"

static char *read_key(struct device *d, const char *backend, const char *key)
{
	char path[PATH_MAX + 32];
	unsigned n;

	snprintf(path, sizeof(path), "%s/%s", backend, key);
	return xs_read(d->xs, XBT_NULL, path, &n);
}

/* Whether that backend serves the same device and one of the two may write it. */
static int clashes(struct device *d, const char *backend, const char *number, int writes)
{
	_cleanup_(freep) char *theirs = read_key(d, backend, "physical-device");
	_cleanup_(freep) char *mode = NULL, *state = NULL;

	if (!theirs || strcmp(theirs, number) != 0)
		return 0;
	mode = read_key(d, backend, "mode");
	state = read_key(d, backend, "state");
	if (state && strcmp(state, "6") == 0) /* XenbusStateClosed */
		return 0;
	return writes || (mode && strchr(mode, 'w'));
}

/* The domain, other than ours, that has the device: 0 when none has. The caller holds the lock, so that
 * of two that come at once the second sees the first. */
static int user_of(struct device *d, const char *number, int writes)
{
	unsigned n_domains = 0, n_devices = 0;
	_cleanup_(freep) char **domains = xs_directory(d->xs, XBT_NULL, BACKENDS, &n_domains);
	int found = 0;

	for (unsigned i = 0; domains && i < n_domains && !found; i++) {
		char path[PATH_MAX], own[PATH_MAX];
		char **devices;

		snprintf(path, sizeof(path), BACKENDS "/%s", domains[i]);
		devices = xs_directory(d->xs, XBT_NULL, path, &n_devices);
		for (unsigned k = 0; devices && k < n_devices && !found; k++) {
			snprintf(path, sizeof(path), BACKENDS "/%s/%s", domains[i], devices[k]);
			snprintf(own, sizeof(own), "vbd/%s/%s", domains[i], devices[k]);
			if (strlen(d->path) >= strlen(own) &&
			    strcmp(d->path + strlen(d->path) - strlen(own), own) == 0)
				continue;
			if (clashes(d, path, number, writes))
				found = (int)strtol(domains[i], NULL, 10);
		}
		free(devices);
	}
	return found;
}

static int serve(struct device *d, const char *number, const char *real, int writes)
{
	int lock = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600), user, r;

	if (lock < 0 || flock(lock, LOCK_EX) < 0) {
		r = fail(d, "lock %s: %s", LOCK, strerror(errno));
	} else {
		user = user_of(d, number, writes);
		if (user)
			r = fail(d, "%s is in use by domain %d, and one of the two may write to it",
				 real, user);
		else
			r = store_write(d, "physical-device", number, "physical-device-path", real,
					"hotplug-status", "connected", NULL);
	}
	if (lock >= 0)
		close(lock);
	return r;
}

int block_add(struct device *d)
{
	_cleanup_(freep) char *params = store_read(d, "params");
	_cleanup_(freep) char *mode = store_read(d, "mode");
	_cleanup_(freep) char *real = NULL;
	char path[PATH_MAX], number[32];
	struct stat st;
	int fd, read_only = 0;

	if (!params || !params[0])
		return fail(d, "no 'params' in xenstore: which device is it?");
	snprintf(path, sizeof(path), "%s%s", params[0] == '/' ? "" : "/dev/", params);
	real = realpath(path, NULL);
	if (!real)
		return fail(d, "%s: %s", path, strerror(errno));
	/* What is looked at and what is told to blkback is one open device, whatever happens to its
	 * name meanwhile. */
	fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fail(d, "open %s: %s", real, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode)) {
		close(fd);
		return fail(d, "%s is not a block device", real);
	}
	if (ioctl(fd, BLKROGET, &read_only) < 0)
		read_only = 0; /* a driver that doesn't say */
	close(fd);
	if (read_only && mode && strchr(mode, 'w'))
		return fail(d, "%s is read-only, and the guest is to write to it", real);
	snprintf(number, sizeof(number), "%x:%x", major(st.st_rdev), minor(st.st_rdev));
	return serve(d, number, real, mode && strchr(mode, 'w'));
}

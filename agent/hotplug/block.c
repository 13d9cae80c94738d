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
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "hotplug/hotplug.h"

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
	return store_write(d, "physical-device", number, "physical-device-path", real,
			   "hotplug-status", "connected", NULL);
}

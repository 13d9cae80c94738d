/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Loop devices by their ioctls.
 */
#include "host/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TRIES 16 /* somebody else may take the free one first */

static int bind_to(const char *path, int file, bool read_only)
{
	struct loop_config c = {
		.fd = (__u32)file,
		.info.lo_flags = LO_FLAGS_DIRECT_IO | (read_only ? LO_FLAGS_READ_ONLY : 0),
	};
	int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	memcpy(c.info.lo_file_name, LOOP_NAME, sizeof(LOOP_NAME));
	r = ioctl(fd, LOOP_CONFIGURE, &c) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int loop_attach(int file, bool read_only, char ret[LOOP_PATH])
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), r = -EBUSY;

	if (control < 0)
		return -errno;
	for (int i = 0; i < TRIES && r == -EBUSY; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		if (number < 0) {
			r = -errno;
			break;
		}
		snprintf(ret, LOOP_PATH, "/dev/loop%d", number);
		r = bind_to(ret, file, read_only);
	}
	close(control);
	return r;
}

int loop_detach(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;
	struct loop_info64 info;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	/* Freed by hand it may be somebody else's by now. */
	if (ioctl(fd, LOOP_GET_STATUS64, &info) < 0 ||
	    strcmp((const char *)info.lo_file_name, LOOP_NAME) != 0) {
		close(fd);
		return 0;
	}
	/* Where it is open elsewhere the kernel only notes that it is to go. */
	r = ioctl(fd, LOOP_CLR_FD) < 0 && errno != ENXIO ? -errno : 0;
	close(fd);
	return r;
}

int loop_resize(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = ioctl(fd, LOOP_SET_CAPACITY) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* The kernel says the device in its long form (huge_encode_dev), as stat(2) does. */
static bool same(const struct loop_info64 *i, const struct stat *file)
{
	return i->lo_inode == file->st_ino && i->lo_device == (__u64)file->st_dev;
}

bool loop_is_of(int fd, const struct stat *file)
{
	struct loop_info64 i;

	return ioctl(fd, LOOP_GET_STATUS64, &i) == 0 && same(&i, file);
}

int loop_each(const struct stat *file,
	      int (*each)(void *data, int fd, const char *path, const struct loop_info64 *info),
	      void *data)
{
	DIR *d = opendir("/sys/block");
	struct dirent *entry;
	int r = 0;

	while (d && r == 0 && (entry = readdir(d))) {
		struct loop_info64 info;
		char path[LOOP_PATH];
		int fd;

		if (strncmp(entry->d_name, "loop", 4) != 0 ||
		    snprintf(path, sizeof(path), "/dev/%s", entry->d_name) >= (int)sizeof(path))
			continue;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		if (ioctl(fd, LOOP_GET_STATUS64, &info) == 0 && same(&info, file))
			r = each(data, fd, path, &info);
		close(fd);
	}
	if (d)
		closedir(d);
	return r;
}

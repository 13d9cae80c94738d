/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/sysfs.h"

#include <dirent.h>
#include <errno.h>

#define NAMES_MAX 8192 /* of one class: links, disks and their partitions */

int sysfs_class(const char *class, const char *below,
		void (*each)(void *data, const char *name, char *real), void *data, struct err *e)
{
	_cleanup_(freep) char *folder = xasprintf("/sys/class/%s", class);
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int r = 0;

	for (unsigned n = 0; dir && (entry = readdir(dir)); n++) {
		_cleanup_(freep) char *path =
			xasprintf("%s/%.255s%s", folder, entry->d_name, below);
		_cleanup_(freep) char *part =
			xasprintf("%s/%.255s/partition", folder, entry->d_name);
		_cleanup_(freep) char *real = NULL;

		if (n >= NAMES_MAX) {
			r = err_set(e, -E2BIG, "more than %d entries in %s", NAMES_MAX, folder);
			break;
		}
		if (entry->d_name[0] == '.' || access(part, F_OK) == 0)
			continue;
		real = realpath(path, NULL);
		if (real)
			each(data, entry->d_name, real);
	}
	if (dir)
		closedir(dir);
	return r;
}

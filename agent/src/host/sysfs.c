/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#define NAMES_MAX 8192 /* of one class: links, disks and their partitions */

struct looking {
	struct arena *arena;
	bool (*is_device)(const char *part);
	sysfs_lists_fn *lists;
	void *facts;
};

/* A disk with several ways to it has one name that counts: nvme0c1n1 is a way to nvme0n1. */
static const char *disk_name(struct arena *a, const char *name)
{
	unsigned disk, way, space;
	int n = 0;

	if (sscanf(name, "nvme%uc%un%u%n", &disk, &way, &space, &n) == 3 && !name[n])
		return arena_printf(a, "nvme%un%u", disk, space);
	return arena_strdup(a, name);
}

static void say(const struct looking *l, bool disk, const char *name, char *real)
{
	const char *device = NULL;
	struct list *links, *disks;
	char *save = NULL;

	for (char *w = strtok_r(real, "/", &save); w; w = strtok_r(NULL, "/", &save))
		if (l->is_device(w))
			device = w;
	if (device && l->lists(l->facts, device, &links, &disks))
		list_add(l->arena, disk ? disks : links, (void *)disk_name(l->arena, name));
}

/* `below`: what leads to the hardware from an entry of that class. Partitions are left out. */
static int look(const struct looking *l, const char *class, const char *below, bool disk,
		struct err *e)
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
			say(l, disk, entry->d_name, real);
	}
	if (dir)
		closedir(dir);
	return r;
}

int sysfs_behind(struct arena *a, bool (*is_device)(const char *part), sysfs_lists_fn *lists,
		 void *facts, struct err *e)
{
	const struct looking l = {a, is_device, lists, facts};
	int r = look(&l, "net", "/device", false, e);

	return r < 0 ? r : look(&l, "block", "", true, e);
}

const char *sysfs_driver(struct arena *a, const char *bus, const char *device)
{
	_cleanup_(freep) char *path = xasprintf("/sys/bus/%s/devices/%.255s/driver", bus, device);
	char link[PATH_MAX];
	ssize_t n = readlink(path, link, sizeof(link) - 1);

	if (n <= 0)
		return NULL;
	link[n] = '\0';
	return arena_strdup(a, strrchr(link, '/') ? strrchr(link, '/') + 1 : link);
}

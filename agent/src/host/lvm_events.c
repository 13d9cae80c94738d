/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Looking at running thin pools, cheaply: two ioctls, no LVM.
 */
#include "host/lvm_events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "base/str.h"
#include "host/lvm_dm.h"

#define NOTABLE 80 /* percent */
#define NEAR    90
#define CALM_S  5
#define NEAR_S  1

static unsigned percent(uint64_t used, uint64_t total)
{
	return total ? (unsigned)(used * 100 / total) : 0;
}

/* "name data metadata" of that pool, where one of the two is notable; raises *most. */
static void look_at(struct dm_pool *mem, const char *name, struct str *said, unsigned *most)
{
	_cleanup_(task_freep) struct dm_task *task = dm_task_create(DM_DEVICE_STATUS);
	struct dm_status_thin_pool *status;
	char *type = NULL, *params = NULL;
	uint64_t start, length;
	unsigned data, metadata;

	/* Without a flush: that would wait for the pool's own writes. */
	if (!task || !dm_task_set_name(task, name) || !dm_task_no_flush(task) ||
	    !dm_task_no_open_count(task) || !dm_task_run(task))
		return; /* gone meanwhile */
	dm_get_next_target(task, NULL, &start, &length, &type, &params);
	if (!streq(type, "thin-pool") || !params ||
	    !dm_get_status_thin_pool(mem, params, &status) || status->fail)
		return;
	data = percent(status->used_data_blocks, status->total_data_blocks);
	metadata = percent(status->used_metadata_blocks, status->total_metadata_blocks);
	if (MAX_OF(data, metadata) >= NOTABLE)
		str_addf(said, "%s %u %u, ", name, data, metadata);
	*most = MAX_OF(*most, MAX_OF(data, metadata));
}

/* Where the kernel has no device-mapper there are no pools: no word about it. */
static bool has_mapper(void)
{
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void say_nothing(int level, const char *file, int line, int e, const char *f, ...)
{
}

static int look(struct str *said, unsigned *most, struct err *e)
{
	_cleanup_(pool_freep) struct dm_pool *mem = NULL;
	_cleanup_(task_freep) struct dm_task *task = NULL;
	struct dm_names *names;

	if (!has_mapper())
		return 0;
	mem = dm_pool_create("manor", 1024);
	task = dm_task_create(DM_DEVICE_LIST);
	if (!mem || !task)
		return err_set(e, -ENOMEM, "list device-mapper's devices");
	if (!dm_task_run(task) || !(names = dm_task_get_names(task)))
		return err_errno(e, -(dm_task_get_errno(task) ? dm_task_get_errno(task) : EIO),
				 "list device-mapper's devices");
	for (unsigned next = names->dev ? 1 : 0; next;) {
		look_at(mem, names->name, said, most);
		next = names->next;
		names = (struct dm_names *)((char *)names + next);
	}
	return 0;
}

int lvm_watch(bool (*event)(void *data, const char *what), void *data, struct err *e)
{
	_cleanup_(freep) char *before = xstrdup("");

	dm_log_with_errno_init(say_nothing);
	for (;;) {
		_cleanup_str_ struct str said = {0};
		struct timespec pause = {.tv_sec = CALM_S};
		unsigned most = 0;
		int r = look(&said, &most, e);

		if (r < 0)
			return r;
		if (!streq(str_get(&said), before)) {
			free(before);
			before = xstrdup(str_get(&said));
			if (!event(data, said.n ? "a pool fills up, or was freed"
						: "a pool has room again"))
				return 0;
		}
		if (most >= NEAR)
			pause.tv_sec = NEAR_S;
		nanosleep(&pause, NULL);
	}
}

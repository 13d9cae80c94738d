/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Running thin pools, asked and told through device-mapper itself.
 */
#include "host/lvm_kernel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "host/lvm_dm.h"

static void tree_freep(struct dm_config_tree **t)
{
	if (*t)
		dm_config_destroy(*t);
}

static struct dm_pool *memory(void)
{
	struct dm_pool *mem = dm_pool_create("manor", 1024);

	if (!mem)
		abort();
	return mem;
}

/* What the kernel says of a target; `params` lives in the task. */
static int status_of(struct dm_task *task, const char *name, const char *wanted, char **ret)
{
	uint64_t start, length;
	struct dm_info info;
	char *type = NULL;

	if (!task || !name || !dm_task_set_name(task, name) || !dm_task_no_flush(task) ||
	    !dm_task_no_open_count(task))
		return -ENOMEM;
	if (!dm_task_run(task)) {
		int r = dm_task_get_errno(task);

		return r == ENXIO ? -ENODEV : -(r ? r : EIO);
	}
	if (!dm_task_get_info(task, &info) || !info.exists)
		return -ENODEV;
	dm_get_next_target(task, NULL, &start, &length, &type, ret);
	return streq(type, wanted) && *ret ? 0 : -ENODEV;
}

/* The pool target is VG-POOL-tpool while thin volumes use it, and VG-POOL itself while none do. */
static int pool_status(struct dm_pool *mem, const char *vg, const char *pool, char **ret_name,
		       struct dm_status_thin_pool **ret)
{
	static const char *const layers[] = {"tpool", NULL};

	for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
		_cleanup_(task_freep) struct dm_task *task = dm_task_create(DM_DEVICE_STATUS);
		char *name = dm_build_dm_name(mem, vg, pool, layers[i]), *params = NULL;
		int r = status_of(task, name, "thin-pool", &params);

		if (r == -ENODEV)
			continue;
		if (r < 0)
			return r;
		if (!dm_get_status_thin_pool(mem, params, ret))
			return -EIO;
		*ret_name = name;
		return 0;
	}
	return -ENODEV;
}

int lvm_kernel_mapped(const char *vg, const char *lv, uint64_t *ret, struct err *e)
{
	_cleanup_(pool_freep) struct dm_pool *mem = memory();
	_cleanup_(task_freep) struct dm_task *task = dm_task_create(DM_DEVICE_STATUS);
	struct dm_status_thin *status = NULL;
	char *params = NULL;
	int r = status_of(task, dm_build_dm_name(mem, vg, lv, NULL), "thin", &params);

	if (r < 0)
		return err_errno(e, r, "status of thin volume %s/%s", vg, lv);
	if (!dm_get_status_thin(mem, params, &status) || status->fail)
		return err_set(e, -EIO, "thin volume %s/%s has failed in the kernel", vg, lv);
	*ret = status->mapped_sectors * 512;
	return 0;
}

int lvm_kernel_transaction(const char *vg, const char *pool, uint64_t *ret, struct err *e)
{
	_cleanup_(pool_freep) struct dm_pool *mem = memory();
	struct dm_status_thin_pool *status = NULL;
	char *name;
	int r = pool_status(mem, vg, pool, &name, &status);

	if (r < 0)
		return err_errno(e, r, "status of thin pool %s/%s", vg, pool);
	if (status->fail)
		return err_set(e, -EIO, "thin pool %s/%s has failed in the kernel", vg, pool);
	*ret = status->transaction_id;
	return 0;
}

int lvm_kernel_message(const char *vg, const char *pool, int fine, struct err *e, const char *fmt,
		       ...)
{
	_cleanup_(pool_freep) struct dm_pool *mem = memory();
	_cleanup_(task_freep) struct dm_task *task = NULL;
	struct dm_status_thin_pool *status = NULL;
	char *name, message[128];
	va_list ap;
	int r = pool_status(mem, vg, pool, &name, &status);

	if (r < 0)
		return err_errno(e, r, "status of thin pool %s/%s", vg, pool);
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	task = dm_task_create(DM_DEVICE_TARGET_MSG);
	if (!task || !dm_task_set_name(task, name) || !dm_task_set_sector(task, 0) ||
	    !dm_task_set_message(task, message))
		return err_set(e, -ENOMEM, "message to thin pool %s/%s", vg, pool);
	if (!dm_task_run(task) && (!fine || dm_task_get_errno(task) != fine))
		return err_errno(e, -(dm_task_get_errno(task) ? dm_task_get_errno(task) : EIO),
				 "thin pool %s/%s: %s", vg, pool, message);
	return 0;
}

int lvm_pending_create(struct arena *a, const char *text, const char *vg, const char *pool,
		       const char **ret_lv, struct err *e)
{
	_cleanup_(tree_freep) struct dm_config_tree *tree = dm_config_from_string(text);
	_cleanup_(freep) char *base = xasprintf("%s/logical_volumes", vg);
	const struct dm_config_node *volumes, *node, *segment;
	const char *lv;

	if (!tree || !(volumes = dm_config_find_node(tree->root, base)))
		return err_set(e, -EINVAL, "metadata of volume group %s can't be understood", vg);
	/* Names may hold dots but no slashes: walked by hand, for paths split at more than that. */
	for (node = volumes->child; node && !streq(node->key, pool); node = node->sib)
		;
	if (!node)
		return err_set(e, -EINVAL, "no thin pool %s in volume group %s", pool, vg);
	segment = dm_config_find_node(node->child, "segment1");
	if (!segment)
		return err_set(e, -EINVAL, "thin pool %s/%s has no segment", vg, pool);
	lv = dm_config_find_str(segment->child, "message1/create", NULL);
	if (!lv || dm_config_find_node(segment->child, "message2"))
		return 0;
	*ret_lv = arena_strdup(a, lv);
	return 1;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The partition table of an installed disk, by libfdisk.
 */
#include "host/gpt.h"

#include <errno.h>
#include <libfdisk/libfdisk.h>
#include <linux/blkpg.h>
#include <sys/ioctl.h>
#include <uuid/uuid.h>

static void context_freep(struct fdisk_context **c)
{
	fdisk_unref_context(*c);
}

static void partition_freep(struct fdisk_partition **p)
{
	fdisk_unref_partition(*p);
}

static void type_freep(struct fdisk_parttype **t)
{
	fdisk_unref_parttype(*t);
}

void gpt_ids_fixed(struct gpt_ids *ret)
{
	static const char seed[] = "manor.img";
	struct layout l;

	*ret = (struct gpt_ids){0};
	layout_image(&l);
	ident_uuid(seed, "disk", "manor", ret->disk);
	for (size_t i = 0; i < l.n; i++)
		ident_uuid(seed, "partition", l.parts[i].label, ret->parts[i]);
}

static void id_random(char ret[UUID_TEXT])
{
	uuid_t id;

	uuid_generate_random(id);
	uuid_unparse_lower(id, ret);
}

void gpt_ids_random(struct gpt_ids *ret)
{
	id_random(ret->disk);
	for (size_t i = 0; i < LAYOUT_MAX; i++)
		id_random(ret->parts[i]);
}

static int open_disk(const char *path, bool readonly, struct fdisk_context **ret, struct err *e)
{
	_cleanup_(context_freep) struct fdisk_context *c = fdisk_new_context();
	int r;

	if (!c)
		return err_set(e, -ENOMEM, "%s: no context of libfdisk's", path);
	fdisk_disable_dialogs(c, 1);
	r = fdisk_assign_device(c, path, readonly);
	if (r < 0)
		return err_errno(e, r, "open %s", path);
	*ret = c;
	c = NULL;
	return 0;
}

static int add(struct fdisk_context *c, const struct layout_part *part, size_t number,
	       const char *uuid)
{
	_cleanup_(partition_freep) struct fdisk_partition *p = fdisk_new_partition();
	_cleanup_(type_freep) struct fdisk_parttype *type = NULL;
	int r;

	type = fdisk_label_parse_parttype(fdisk_get_label(c, NULL), part->type);
	if (!p || !type)
		return -ENOMEM;
	/* To the sector as the layout has it: libfdisk aligns nothing then. */
	fdisk_partition_size_explicit(p, 1);
	r = fdisk_partition_set_partno(p, number);
	r = r < 0 ? r : fdisk_partition_set_start(p, part->start / LAYOUT_SECTOR);
	r = r < 0 ? r : fdisk_partition_set_size(p, part->size / LAYOUT_SECTOR);
	r = r < 0 ? r : fdisk_partition_set_type(p, type);
	r = r < 0 ? r : fdisk_partition_set_name(p, part->label);
	r = r < 0 ? r : fdisk_partition_set_uuid(p, uuid);
	return r < 0 ? r : fdisk_add_partition(c, p, NULL);
}

int gpt_write(const char *path, const struct layout *l, const struct gpt_ids *ids, struct err *e)
{
	_cleanup_(context_freep) struct fdisk_context *c = NULL;
	int r = open_disk(path, false, &c, e);

	if (r < 0)
		return r;
	fdisk_enable_wipe(c, 0);
	fdisk_enable_bootbits_protection(c, 1);
	r = fdisk_create_disklabel(c, "gpt");
	if (r == 0)
		r = fdisk_set_disklabel_id_from_string(c, ids->disk);
	for (size_t i = 0; r == 0 && i < l->n; i++)
		r = add(c, &l->parts[i], i, ids->parts[i]);
	if (r == 0)
		r = fdisk_write_disklabel(c);
	if (r == 0)
		r = fdisk_deassign_device(c, 0);
	return r < 0 ? err_errno(e, r, "write the partition table of %s", path) : 0;
}

static bool in_place(struct fdisk_context *c, const struct layout *l, size_t i)
{
	_cleanup_(partition_freep) struct fdisk_partition *p = NULL;

	return fdisk_get_partition(c, i, &p) == 0 &&
	       streq(fdisk_partition_get_name(p), l->parts[i].label) &&
	       fdisk_partition_get_start(p) == l->parts[i].start / LAYOUT_SECTOR &&
	       fdisk_partition_get_size(p) == l->parts[i].size / LAYOUT_SECTOR;
}

int gpt_read(const char *path, size_t *ret_n, char ret_id[UUID_TEXT], struct err *e)
{
	_cleanup_(context_freep) struct fdisk_context *c = NULL;
	_cleanup_(freep) char *id = NULL;
	struct layout l;
	int r = open_disk(path, true, &c, e);

	if (r < 0)
		return r;
	if (fdisk_get_sector_size(c) != LAYOUT_SECTOR || !fdisk_has_label(c) ||
	    !fdisk_is_labeltype(c, FDISK_DISKLABEL_GPT))
		return 0;
	layout_image(&l);
	for (size_t i = 0; i < l.n; i++)
		if (!in_place(c, &l, i))
			return 0;
	if (fdisk_get_disklabel_id(c, &id) < 0 || ident_uuid_parse(id, ret_id) < 0)
		return 0;
	for (*ret_n = l.n; *ret_n < LAYOUT_MAX; (*ret_n)++) {
		_cleanup_(partition_freep) struct fdisk_partition *p = NULL;

		if (fdisk_get_partition(c, *ret_n, &p) != 0 || !fdisk_partition_has_start(p))
			break;
	}
	return 1;
}

int gpt_tell_kernel(int fd, const struct layout *l, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		struct blkpg_partition p = {
			.start = (long long)l->parts[i].start,
			.length = (long long)l->parts[i].size,
			.pno = (int)i + 1,
		};
		struct blkpg_ioctl_arg arg = {
			.op = BLKPG_ADD_PARTITION, .datalen = sizeof(p), .data = &p};

		/* -EBUSY: it knows that one. */
		if (ioctl(fd, BLKPG, &arg) < 0 && errno != EBUSY)
			return err_errno(e, -errno, "tell the kernel of %s", l->parts[i].label);
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The disk that the appliance is to be installed to.
 */
#include "kinds/target.h"

#include <errno.h>

#include "base/num.h"
#include "base/str.h"

int target_parse(struct arena *a, const char *text, struct storage_device *ret, struct err *e)
{
	const char *equals = strchr(text, '=');

	*ret = (struct storage_device){0};
	if (startswith(text, "serial=") && equals[1])
		ret->serial = arena_strdup(a, equals + 1);
	else if (startswith(text, "wwid=") && equals[1])
		ret->wwid = arena_strdup(a, equals + 1);
	else if (startswith(text, "/dev/"))
		ret->path = arena_strdup(a, text);
	else if (*text && !equals && !strchr(text, '/'))
		ret->path = arena_printf(a, "/dev/%s", text);
	else
		return err_set(
			e, -EINVAL,
			"a disk is serial=…, wwid=…, /dev/disk/by-id/… or a name such as sda, not "
			"'%.80s'",
			text);
	return 0;
}

struct storage_device target_of(const struct install_disk *d)
{
	return (struct storage_device){.serial = d->serial, .wwid = d->wwid, .path = d->path};
}

static const char *joined(struct arena *a, const struct list *l)
{
	_cleanup_str_ struct str b = {0};

	for (size_t i = 0; i < l->n; i++)
		str_addf(&b, "%s%s", i ? ", " : "", (char *)l->items[i]);
	return arena_strdup(a, str_get(&b));
}

/* Of the disk itself, or of one of its partitions. */
static const char *in_use(struct arena *a, const struct blk_disk *b)
{
	if (b->root)
		return arena_printf(a, "the root file system is on %s", b->path);
	if (b->mounts.n)
		return arena_printf(a, "%s is mounted on %s", b->path, joined(a, &b->mounts));
	if (b->holders.n)
		return arena_printf(a, "%s is in use by %s", b->path, joined(a, &b->holders));
	return NULL;
}

static void list_content(struct arena *a, const struct blk_disk *b, struct target *t)
{
	char size[NUM_TEXT];

	if (b->signatures.n || b->parent)
		list_add(a, &t->on_it,
			 arena_printf(a, "%s, %s: %s", b->path, num_size(size, b->size),
				      b->signatures.n ? joined(a, &b->signatures)
						      : "nothing that is known"));
	if (!t->why)
		t->why = in_use(a, b);
}

void target_find(struct arena *a, const struct facts *f, const struct storage_device *d,
		 const char *erase, bool (*half_made)(const char *path), struct target *ret)
{
	const struct blk_facts *k = facts_get(f, "disks");
	const struct blk_disk *b;

	*ret = (struct target){0};
	b = device_pick(a, f, d, &ret->why, &ret->help);
	if (!b)
		return;
	ret->disk = b;
	if (b->parent) {
		ret->why = arena_printf(a, "%s is a partition: name the disk, /dev/%s", b->path,
					b->parent);
		return;
	}
	ret->id = b->serial ? b->serial : b->wwids.n ? b->wwids.items[0] : b->path;
	ret->why = b->unreadable ? arena_printf(a, "%s can't be read: %s", b->path, b->unreadable)
		   : b->readonly ? arena_printf(a, "%s is read-only", b->path)
				 : NULL;
	list_content(a, b, ret);
	for (size_t i = 0; i < k->disks.n; i++) {
		const struct blk_disk *part = k->disks.items[i];

		if (streq(part->parent, b->name))
			list_content(a, part, ret);
	}
	if (ret->why || !ret->on_it.n || half_made(b->path)) {
		if (!ret->why)
			ret->on_it.n = 0;
		return;
	}
	if (streq(erase, ret->id))
		return;
	ret->why =
		erase ? arena_printf(a, "%s isn't '%.80s', which is what may be erased: it is '%s'",
				     b->path, erase, ret->id)
		      : arena_printf(a, "%s isn't empty: %s", b->path, joined(a, &ret->on_it));
	ret->help = arena_printf(
		a, "if nothing of it is needed, --erase %s says so: all of it is lost", ret->id);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What an installed disk is made of. Numbers and places of the first four never change: the boot loader's first sector
 * knows where the second one is, and the menu which partition is which slot.
 */
#include "host/layout.h"

#include <errno.h>

#include "base/num.h"

#define MIB   (UINT64_C(1) << 20)
#define LINUX "0FC63DAF-8483-4772-8E79-3D69D8477DE4"

static const struct layout_part parts[LAYOUT_MAX] = {
	[LAYOUT_BIOS] = {.label = "manor-bios", .type = "21686148-6449-6E6F-744E-656564454649",
			 .what = "boot loader, for BIOS", .size = MIB},
	[LAYOUT_ESP] = {.label = "manor-esp", .type = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
			.what = "boot loader, for UEFI, and the menu", .size = 64 * MIB},
	[LAYOUT_A] = {.label = "manor-a", .type = LINUX, .what = "system", .size = LAYOUT_SLOT},
	[LAYOUT_B] = {.label = "manor-b", .type = LINUX, .what = "system, for the next version",
		      .size = LAYOUT_SLOT},
	[LAYOUT_STATE] = {.label = "manor-state", .type = LINUX, .what = "manifest, state, logs"},
	[LAYOUT_STORAGE] = {.label = "manor-storage", .type = "E6D6D379-F507-44C2-A23C-238F2A3DF928",
			    .what = "the guests'"},
};

void layout_image(struct layout *ret)
{
	uint64_t at = LAYOUT_GRAIN;

	*ret = (struct layout){0};
	for (; ret->n < LAYOUT_STATE; ret->n++) {
		ret->parts[ret->n] = parts[ret->n];
		ret->parts[ret->n].start = at;
		at += parts[ret->n].size;
	}
	/* Behind the last one stands the table's second copy. */
	ret->size = at + LAYOUT_GRAIN;
}

static void add(struct layout *l, uint64_t start, uint64_t size)
{
	l->parts[l->n] = parts[l->n];
	l->parts[l->n].start = start;
	l->parts[l->n++].size = size;
}

int layout_make(uint64_t disk, uint64_t state, struct layout *ret, struct err *e)
{
	char has[NUM_TEXT], needs[NUM_TEXT];
	uint64_t start, end = disk / LAYOUT_GRAIN * LAYOUT_GRAIN, want, room;
	struct layout l;

	layout_image(&l);
	start = l.size - LAYOUT_GRAIN;
	want = state ? (state + LAYOUT_GRAIN - 1) / LAYOUT_GRAIN * LAYOUT_GRAIN : LAYOUT_STATE_MIN;
	if (want < LAYOUT_STATE_MIN)
		return err_set(e, -EINVAL, "a state partition of %s is too small: %s at least",
			       num_size(has, state), num_size(needs, LAYOUT_STATE_MIN));
	/* The last MiB is the table's second copy. */
	room = end > start + LAYOUT_GRAIN ? end - start - LAYOUT_GRAIN : 0;
	if (room < want || want > disk)
		return err_set(e, -ENOSPC, "a disk of %s is too small: %s at least%s",
			       num_size(has, disk), num_size(needs, start + want + LAYOUT_GRAIN),
			       state ? ", with a state partition of that size" : "");
	if (!state)
		want = MIN_OF(room, LAYOUT_STATE_DEF);
	add(&l, start, want);
	if (room > want)
		add(&l, start + want, room - want);
	l.size = disk;
	*ret = l;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What an installed disk is made of: which partitions, where. The one definition, for disks that are installed to, for
 * manor.img, and for what becomes of that on the first boot from a larger disk.
 */
#pragma once

#include "base/err.h"

#define LAYOUT_SECTOR    512
#define LAYOUT_GRAIN     (UINT64_C(1) << 20) /* all begin and end at a whole MiB */
#define LAYOUT_SLOT      (UINT64_C(384) << 20)
#define LAYOUT_STATE_MIN (UINT64_C(256) << 20)
#define LAYOUT_STATE_DEF (UINT64_C(4) << 30)

enum layout_number { /* of the partition, from 0; the disk counts from 1 */
	LAYOUT_BIOS,
	LAYOUT_ESP,
	LAYOUT_A,
	LAYOUT_B,
	LAYOUT_STATE,
	LAYOUT_STORAGE,
	LAYOUT_MAX,
};

struct layout_part {
	const char *label, *type; /* GPT's name and type */
	const char *what;         /* for people */
	uint64_t start, size;     /* in bytes */
};

struct layout {
	struct layout_part parts[LAYOUT_MAX];
	size_t n;
	uint64_t size; /* of the disk */
};

/* For a disk of that many bytes. `state`: how large that is to be; 0: up to 4 GiB, and less on a small disk. What is left
 * is the guests', if it is anything. -ENOSPC: it doesn't fit, said with numbers. */
int layout_make(uint64_t disk, uint64_t state, struct layout *ret, struct err *e);
/* Of manor.img: state and storage are made where it is started. */
void layout_image(struct layout *ret);

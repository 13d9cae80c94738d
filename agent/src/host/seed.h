/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The disk that cloud-init's NoCloud reads at a guest's first boot: an ISO 9660 image with the volume id
 * "cidata" and the files meta-data, user-data and network-config (cloud-init's manual, "NoCloud").
 */
#pragma once

#include "base/err.h"
#include "base/record.h"

#define SEED_BYTES (UINT64_C(4) << 20) /* of the disk: an extent */
#define SEED_MAX   (1u << 20)          /* of all files together */

struct seed_file {
	const char *name;
	const char *text;
};

/* Writes the image to a device or file that is there, from its beginning, and syncs it. -EFBIG where the
 * files are more than SEED_MAX. */
int seed_write(const char *path, const struct seed_file *files, size_t n, struct err *e);

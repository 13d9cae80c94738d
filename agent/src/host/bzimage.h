/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Linux's bzImage (the kernel's Documentation/arch/x86/boot.rst): a boot sector, set-up code, and the
 * real kernel, an ELF file, compressed as the payload. Xen's builder would unpack it at each start.
 */
#pragma once

#include "base/err.h"

#define BZIMAGE_MAX (UINT64_C(512) << 20) /* an unpacked kernel; some are 100 MiB */

/* Writes the ELF file in `from` to `to`, both descriptors, from the current position of `to`. Returns
 * 0, 1 when it is no bzImage or one whose payload we don't know (nothing was written), or a
 * negative errno (-EILSEQ: broken). */
int bzimage_unpack(int from, int to, struct err *e);

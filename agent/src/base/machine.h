/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What tells one machine from another: the addresses of its network cards, and what SMBIOS (DSP0134, 7.2: "System
 * Information") says of it.
 */
#pragma once

#include "base/ident.h"
#include "base/record.h"

struct machine {
	struct record rec;
	struct list macs; /* of strings, lower case: its physical links' own */
	const char *serial, *uuid;         /* NULL: none that says anything, */
	const char *serial_why, *uuid_why; /* … and why so: "can't be read: Permission denied" */
};

/* Whether it is what makers leave there where they forgot the number: any machine may say it. */
bool machine_is_filler(const char *text);
/* A UUID as SMBIOS and people write it, into the one way of writing it. -EINVAL: it is none; -ENODATA: one that many machines
 * have. */
int machine_uuid_parse(const char *text, char ret[UUID_TEXT]);
/* Who that is, for people: "MAC 52:54:00:12:34:56, serial 'S1', no UUID". Arena memory. */
const char *machine_text(struct arena *a, const struct machine *m);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Domain configurations of xm and xl (xl.cfg(5), "SYNTAX"): settings and where they stand. libxlutil says what is
 * syntax and what the values are; it names neither the keys nor their places, which are found here. What they
 * mean is nobody's business here.
 */
#pragma once

#include "diag/diag.h"

#define XL_CFG_MAX (1u << 20) /* bytes of a configuration */

struct xl_item {
	const char *text; /* NULL: a list within the list */
	struct span span;
};

struct xl_setting {
	const char *name;
	struct span span;      /* of the name */
	const char *text;      /* NULL: a list */
	struct xl_item *items; /* of a list */
	size_t n;
	bool overruled; /* a later one of that name counts; its value isn't known */
	bool taken;     /* for the reader: it has become something */
};

struct xl_cfg {
	const struct source *source; /* with the passwords hidden: diagnostics show its lines */
	struct xl_setting *list;     /* in the order of the file */
	size_t n;
};

/* All of it is in the diagnostics' arena. -EINVAL, having said what is wrong where: "syntax", "program" (xm
 * ran them as Python), "control-character", "invalid-utf8", "not-a-configuration" (no text, or no setting in it). Texts are
 * one line each. */
int xl_cfg_read(const char *name, const char *text, size_t n, struct diags *d, struct xl_cfg *ret);
/* The one that counts, or NULL. */
struct xl_setting *xl_cfg_find(const struct xl_cfg *c, const char *name);

struct xl_disk {
	const char *target, *vdev; /* "" where not given */
	const char *format;        /* "raw", "qcow2" …; "empty": a drive without a disc */
	const char *script;        /* "block-nbd"; NULL: none */
	const char *backend;       /* the domain that serves it; NULL: dom0 */
	bool cdrom, read_only;
};

/* One item of `disk`, in any of the ways that xl-disk-configuration(5) knows. -EINVAL: it is none of them. */
int xl_disk_parse(struct arena *a, const char *text, struct xl_disk *ret, struct err *e);

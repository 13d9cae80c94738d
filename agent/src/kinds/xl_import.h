/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Domain configurations of xm and xl become a manifest. Texts in, text out: neither the host nor Xen is asked.
 */
#pragma once

#include "diag/diag.h"

struct xl_import_file {
	const char *name; /* as the operator named it */
	const char *text;
	size_t n;
};

/* The manifest's text, in the diagnostics' arena; NULL, having said why, where a file can't be understood or two
 * are of one domain. What has no counterpart, and what was changed, stands there as a comment. `namespace`: NULL:
 * that of `host`, this host's name. */
const char *xl_import(const struct xl_import_file *files, size_t n, const char *namespace,
		      const char *host, struct diags *d);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What `lvm fullreport --reportformat json` says, as lvm.h's records. See lvmreport(7).
 */
#pragma once

#include "host/lvm.h"

/* The columns that lvm_report_parse() needs, as options of fullreport. Sizes are bytes, without
 * suffix. */
extern const char lvm_report_options[];

/* -EINVAL when it is not such a report. Records in which the name is missing are passed over. */
int lvm_report_parse(struct arena *a, const char *json, size_t n, struct lvm_facts *ret,
		     struct err *e);

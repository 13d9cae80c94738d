/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Running one LVM command inside this process, through liblvm2cmd. For host/lvm*.c alone.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* A command line under construction: words are checked, never quoted, for a word that needs quotes is
 * none of ours. */
struct lvm_cmd {
	struct str line;
	char *bad; /* the first word that can't be given to LVM */
};
void lvm_cmd_done(struct lvm_cmd *c);
#define _cleanup_lvm_cmd_ _cleanup_(lvm_cmd_done)

/* Our own words: options and constants, as they stand. */
void lvm_cmd_add(struct lvm_cmd *c, const char *words);
void lvm_cmd_addf(struct lvm_cmd *c, const char *fmt, ...) _printf_(2, 3);
/* One word from elsewhere: a name, a path, a tag. */
void lvm_cmd_word(struct lvm_cmd *c, const char *word);
void lvm_cmd_lv(struct lvm_cmd *c, const char *vg, const char *lv); /* VG/LV */
void lvm_cmd_tags(struct lvm_cmd *c, const char *option, const char *const *tags, size_t n);

/* Runs it to its end, however long that takes. What it reports (not what it says) goes to ret_report,
 * which may be NULL. Errors as in host/lvm.h, with LVM's own words. */
int lvm_cmd_run(struct lvm_cmd *c, struct str *ret_report, struct err *e);

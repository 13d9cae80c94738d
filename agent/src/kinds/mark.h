/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Host code fills plain structs and knows no tables: this marks as set what it filled.
 */
#pragma once

#include "conf/field.h"

/* Marks every field of the record, and of those within it, but strings that are NULL. */
void mark_filled(const struct table *t, void *record);

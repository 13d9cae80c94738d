/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Sizes and times as people write them, both ways. The one parser and the one printer of each.
 */
#pragma once

#include "base/arena.h"

/* "20GiB", "512MiB", "64KiB", "1TiB", "100B"; powers of ten too ("20GB"). The unit is required.
 * -EINVAL: not a size; -ENODATA: a number without a unit; -ERANGE: over 8 EiB. */
int num_parse_size(const char *s, uint64_t *ret_bytes);
/* "90s", "5m", "2h", "14d"; the unit is required. Same errors. */
int num_parse_duration(const char *s, uint64_t *ret_seconds);
int num_parse_int(const char *s, int64_t min, int64_t max, int64_t *ret);

#define NUM_TEXT 32
/* For people: "1.5 GiB", "512 MiB", "0 B". Returns buf. */
const char *num_size(char buf[NUM_TEXT], uint64_t bytes);
/* Exact, as the manifest takes it: "1536MiB". */
const char *num_size_exact(char buf[NUM_TEXT], uint64_t bytes);
/* "16s", "3m", "5h", "42d". */
const char *num_age(char buf[NUM_TEXT], uint64_t seconds);
/* What a text that is no size was to be: "512", "512M", "512mb" and "1,5 GB" → "512MiB", "1.5GiB".
 * NULL: nothing that is one. */
const char *num_guess_size(char buf[NUM_TEXT], const char *s);
/* "0,2-3" of the numbers below n that are set. Arena memory. */
const char *num_ranges(struct arena *a, const bool *set, size_t n);

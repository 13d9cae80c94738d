/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Memory that lives and dies together: a manifest, a set of facts, a plan each own one arena.
 * Allocation never fails (see xcalloc) and is zeroed.
 */
#pragma once

#include "base/util.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a); /* takes NULL */
void arena_freep(struct arena **a);
#define _cleanup_arena_ _cleanup_(arena_freep)

void *arena_alloc(struct arena *a, size_t size);
char *arena_strdup(struct arena *a, const char *s);              /* NULL gives NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3);
/* Grows an array made by the same call: pass the old pointer and length, get room for n + 1. */
void *arena_grow(struct arena *a, void *old, size_t n, size_t size);

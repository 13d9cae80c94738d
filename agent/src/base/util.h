/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Small things every room uses: cleanup attributes, array length, string tests.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b)  ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b)  ((a) > (b) ? (a) : (b))

/* Declares the owner of a thing with the way it ends: _cleanup_(freep) char *s = NULL; */
#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline bool streq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static inline bool startswith(const char *s, const char *prefix)
{
	return s && strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Where `s` stands among words that end with NULL; -1: nowhere. */
static inline int word_find(const char *const *words, const char *s)
{
	for (int i = 0; s && words[i]; i++)
		if (streq(words[i], s))
			return i;
	return -1;
}

/* Allocation that fails ends the process with a message: a worker is one step, and the agent is
 * restarted by its supervisor; nothing that matters lives in memory alone. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) _printf_(1, 2);
char *xvasprintf(const char *fmt, va_list ap) _printf_(1, 0);

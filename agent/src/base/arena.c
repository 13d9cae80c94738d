/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Blocks in a chain; everything is freed at once.
 */
#include "base/arena.h"

#define BLOCK_BYTES 16384
#define ALIGNMENT   16

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(ALIGNMENT) char data[];
};

struct arena {
	struct block *blocks;
};

struct arena *arena_new(void)
{
	return xcalloc(1, sizeof(struct arena));
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	for (struct block *b = a->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
}

void arena_freep(struct arena **a)
{
	arena_free(*a);
	*a = NULL;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct block *b = a->blocks;
	void *p;

	size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (!b || b->size - b->used < size) {
		size_t room = MAX_OF(size, (size_t)BLOCK_BYTES);

		b = xcalloc(1, sizeof(*b) + room);
		b->size = room;
		b->next = a->blocks;
		a->blocks = b;
	}
	p = b->data + b->used;
	b->used += size;
	return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	memcpy(p, s, n);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	return arena_strdup(a, text);
}

void *arena_grow(struct arena *a, void *old, size_t n, size_t size)
{
	void *p;

	/* Room comes in powers of two, so only a length that is one has none left. */
	if (n != 0 && (n & (n - 1)) != 0)
		return old;
	p = arena_alloc(a, (n ? n * 2 : 1) * size);
	if (n)
		memcpy(p, old, n * size);
	return p;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The order of a plan's steps.
 */
#include "engine/graph.h"

#include <errno.h>

struct waiters {
	struct arena *arena;
	struct {
		size_t *steps;
		size_t n;
	} *of;
	size_t n;
	size_t *stack;
};

struct waiters *waiters_new(const struct plan *p)
{
	struct waiters *w = xcalloc(1, sizeof(*w));

	w->arena = arena_new();
	w->n = p->n;
	w->of = arena_alloc(w->arena, (p->n + 1) * sizeof(*w->of));
	w->stack = arena_alloc(w->arena, (p->n + 1) * sizeof(*w->stack));
	for (size_t i = 0; i < p->n; i++)
		for (size_t j = 0; j < p->steps[i].n_after; j++)
			waiters_add(w, i, p->steps[i].after[j].step);
	return w;
}

void waiters_free(struct waiters *w)
{
	if (w)
		arena_free(w->arena);
	free(w);
}

void waiters_freep(struct waiters **w)
{
	waiters_free(*w);
	*w = NULL;
}

void waiters_add(struct waiters *w, size_t waiting, size_t other)
{
	w->of[other].steps = arena_grow(w->arena, w->of[other].steps, w->of[other].n,
					sizeof(*w->of[other].steps));
	w->of[other].steps[w->of[other].n++] = waiting;
}

void waiters_of(const struct waiters *w, size_t step, bool *ret)
{
	size_t n = 0;

	memset(ret, 0, w->n * sizeof(*ret));
	ret[step] = true;
	w->stack[n++] = step;
	while (n > 0) {
		size_t i = w->stack[--n];

		for (size_t j = 0; j < w->of[i].n; j++) {
			size_t next = w->of[i].steps[j];

			if (!ret[next]) {
				ret[next] = true;
				w->stack[n++] = next;
			}
		}
	}
}

/* Numbers of which the smallest is taken first: a binary heap, its root at 1. */
struct heap {
	size_t *items;
	size_t n;
};

static void heap_put(struct heap *h, size_t item)
{
	size_t at = ++h->n;

	for (; at > 1 && h->items[at / 2] > item; at /= 2)
		h->items[at] = h->items[at / 2];
	h->items[at] = item;
}

static size_t heap_take(struct heap *h)
{
	size_t first = h->items[1], last = h->items[h->n--], at = 1;

	for (size_t child; (child = at * 2) <= h->n; at = child) {
		if (child < h->n && h->items[child + 1] < h->items[child])
			child++;
		if (h->items[child] >= last)
			break;
		h->items[at] = h->items[child];
	}
	h->items[at] = last;
	return first;
}

static void renumber(struct step *s, const size_t *where, const bool *placed)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_after; i++)
		if (placed[s->after[i].step])
			s->after[n++] =
				(struct step_dep){where[s->after[i].step], s->after[i].required};
	s->n_after = n;
}

int graph_sort(struct plan *p, const bool *keep)
{
	struct waiters *w = waiters_new(p);
	_cleanup_(freep) size_t *where = xcalloc(p->n, sizeof(*where)); /* old → new */
	_cleanup_(freep) bool *placed = xcalloc(p->n, sizeof(*placed));
	_cleanup_(freep) size_t *left = xcalloc(p->n, sizeof(*left)); /* to come before it */
	_cleanup_(freep) size_t *items = xcalloc(p->n + 1, sizeof(*items));
	struct heap ready = {.items = items};
	struct step *out = arena_alloc(p->arena, (p->n + 1) * sizeof(*out));
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (keep && !keep[i])
			continue;
		kept++;
		for (size_t j = 0; j < p->steps[i].n_after; j++)
			left[i] += !keep || keep[p->steps[i].after[j].step];
		if (!left[i])
			heap_put(&ready, i);
	}
	/* Of those that may come now, the one that was first. */
	while (ready.n > 0) {
		size_t i = heap_take(&ready);

		placed[i] = true;
		where[i] = n;
		out[n++] = p->steps[i];
		for (size_t j = 0; j < w->of[i].n; j++) {
			size_t next = w->of[i].steps[j];

			if ((!keep || keep[next]) && --left[next] == 0)
				heap_put(&ready, next);
		}
	}
	waiters_free(w);
	if (n < kept)
		return -ELOOP;
	for (size_t i = 0; i < n; i++)
		renumber(&out[i], where, placed);
	p->steps = out;
	p->n = n;
	return 0;
}

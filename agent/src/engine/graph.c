/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The order of a plan's steps.
 */
#include "engine/graph.h"

#include <errno.h>

bool graph_reaches(const struct plan *p, size_t from, size_t to)
{
	_cleanup_(freep) bool *seen = xcalloc(p->n, sizeof(*seen));
	_cleanup_(freep) size_t *stack = xcalloc(p->n, sizeof(*stack));
	size_t n = 0;

	stack[n++] = from;
	seen[from] = true;
	while (n > 0) {
		size_t i = stack[--n];

		if (i == to)
			return true;
		for (size_t j = 0; j < p->steps[i].n_after; j++) {
			size_t next = p->steps[i].after[j].step;

			if (!seen[next]) {
				seen[next] = true;
				stack[n++] = next;
			}
		}
	}
	return false;
}

int graph_sort(struct plan *p, const bool *keep)
{
	_cleanup_(freep) size_t *where = xcalloc(p->n, sizeof(*where)); /* old → new */
	_cleanup_(freep) bool *placed = xcalloc(p->n, sizeof(*placed));
	struct step *out = arena_alloc(p->arena, (p->n + 1) * sizeof(*out));
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < p->n; i++)
		kept += !keep || keep[i];
	while (n < kept) {
		size_t before = n;

		for (size_t i = 0; i < p->n; i++) {
			bool ready = true;

			if (placed[i] || (keep && !keep[i]))
				continue;
			for (size_t j = 0; j < p->steps[i].n_after; j++) {
				size_t other = p->steps[i].after[j].step;

				if (!placed[other] && (!keep || keep[other]))
					ready = false;
			}
			if (!ready)
				continue;
			placed[i] = true;
			where[i] = n;
			out[n++] = p->steps[i];
			break; /* from the start again: the first that can go goes */
		}
		if (n == before)
			return -ELOOP;
	}
	for (size_t i = 0; i < n; i++) {
		size_t m = 0;
		struct step_dep *after =
			arena_alloc(p->arena, (out[i].n_after + 1) * sizeof(*after));

		for (size_t j = 0; j < out[i].n_after; j++) {
			size_t old = out[i].after[j].step;

			if (placed[old])
				after[m++] =
					(struct step_dep){where[old], out[i].after[j].required};
		}
		out[i].after = after;
		out[i].n_after = m;
	}
	p->steps = out;
	p->n = n;
	return 0;
}

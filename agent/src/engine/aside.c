/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is done aside, across runs.
 */
#include "engine/aside.h"

#include <errno.h>

#include "engine/store.h"
#include "model/kind.h"

#define LOOK_AGAIN_S 300 /* nobody tells when another executor's has ended */

void aside_hold(struct plan *p, int64_t now)
{
	for (size_t i = 0; i < p->n; i++) {
		struct step *s = &p->steps[i];

		if (s->aside && step_todo(s)) {
			_cleanup_err_ struct err e = {0};
			_cleanup_(closep) int fd = store_lock_aside(s->kind->name, s->name, &e);

			if (fd == -EAGAIN) {
				step_hold(s, HOLD_WAIT, arena_strdup(p->arena, e.message));
				s->not_before = now + LOOK_AGAIN_S;
			}
		}
		for (size_t j = 0; step_todo(s) && j < s->n_after; j++) {
			const struct step *other = &p->steps[s->after[j].step];

			if (s->after[j].required && !step_todo(other))
				step_hold(s, HOLD_NEEDS,
					  arena_printf(p->arena, "needs %s/%s", other->kind->name,
						       other->name));
		}
	}
}

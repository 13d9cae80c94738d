/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Steps aside (see struct step) go on while others act; each has a lock of its own, which its worker
 * keeps. What another run, or one that was killed, is still about waits until that has ended.
 */
#pragma once

#include "model/plan.h"

/* Holds the steps whose locks are taken, and what needs them. */
void aside_hold(struct plan *p, int64_t now);

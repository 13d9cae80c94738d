/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The parts of the kind "bridge" for each other: the kind itself (bridge.c), what a plan does about
 * one (bridge_decide.c), how that is done (bridge_apply.c).
 */
#pragma once

#include "kinds/net_facts.h"

extern const struct table bridge_table;

/* A port that comes and goes with a guest: never counted, never touched. */
bool bridge_guest_port(const struct net_link *l);
/* The name that a bridge has while it is being made. Returns buf. */
const char *bridge_temp_name(const char *uuid, char buf[NET_NAME_MAX + 1]);

void bridge_decide(struct planning *p, const struct resource *want, const struct actual *have,
		   struct step *step);
/* One that others made and that is as the manifest says is used as it is: guests may be its ports. */
void bridge_meet(struct planning *p, const struct resource *want, const struct actual *foreign,
		 const struct changes *diff, struct step *step);
int bridge_apply(struct work *w, struct err *e);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a plan does about a bridge: which devices are to be its ports, in what order ports change
 * hands, and what is better left to a person, for nobody may be locked out of the host by a plan.
 */
#include "kinds/bridge.h"

#include "kinds/kinds.h"

#define BRIDGE_TIMEOUT_S 60
#define BRIDGE_SERIAL    "net" /* one at a time: a half-made bridge is then nobody's work in hand */

static const char *words(struct arena *a, const struct changes *c)
{
	const char *text = NULL;

	for (size_t i = 0; i < c->n; i++)
		text = arena_printf(a, "%s%s%s: %s → %s", text ? text : "", text ? ", " : "",
				    c->list[i].path,
				    c->list[i].old_text ? c->list[i].old_text : "–",
				    c->list[i].new_text ? c->list[i].new_text : "–");
	return text;
}

/* "with eth0, 192.0.2.10/24", for a bridge that comes; NULL for a bare one. */
static const char *contents(struct arena *a, const struct bridge *b)
{
	const struct list *const lists[] = {&b->devices, &b->addresses};
	const char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (size_t j = 0; j < lists[i]->n; j++)
			text = arena_printf(a, "%s%s",
					    text ? arena_printf(a, "%s, ", text) : "with ",
					    (const char *)lists[i]->items[j]);
	return text;
}

/* The link on the host that a link of the manifest is, or NULL. */
static const struct net_link *link_of(struct planning *p, const struct resource *link)
{
	const struct link *l = link ? link->record : NULL;

	return l ? link_resolve(p->arena, net_facts(p->facts), &l->match, NULL) : NULL;
}

/* The devices that the manifest's ports are; false when one isn't found (its link's step says
 * why). */
static bool resolve(struct planning *p, const struct resource *want, struct list *ret)
{
	const struct bridge *b = want->record;
	bool all = true;

	for (size_t i = 0; i < b->ports.n; i++) {
		const struct resource *r = manifest_find(p->manifest, "link", b->ports.items[i]);
		const struct net_link *l = link_of(p, r);

		if (!l)
			all = false;
		else if (!list_has(ret, l->name))
			list_add(p->arena, ret, (char *)l->name);
	}
	return all;
}

/* Is the device a link that the manifest names? */
static bool declared(struct planning *p, const struct net_link *l)
{
	for (size_t i = 0; i < p->manifest->n_resources; i++) {
		const struct resource *r = p->manifest->resources[i];

		if (r->kind == &kind_link && link_of(p, r) == l)
			return true;
	}
	return false;
}

/* A device as the manifest knows it, for messages: "link 'uplink' (eth0)". */
static const char *port_text(struct planning *p, const struct bridge *b, const char *device)
{
	for (size_t i = 0; i < b->ports.n; i++) {
		const struct resource *r = manifest_find(p->manifest, "link", b->ports.items[i]);
		const struct net_link *l = link_of(p, r);

		if (l && streq(l->name, device))
			return arena_printf(p->arena, "link '%s' (%s)", r->name, device);
	}
	return arena_printf(p->arena, "link %s", device);
}

/* What enslaving the device would take out of use; holds the step where a person must decide. */
static void guard_port(struct planning *p, const struct resource *want, const struct net_link *l,
		       struct step *step)
{
	const struct bridge *b = want->record;
	const struct net_facts *f = net_facts(p->facts);
	struct arena *a = p->arena;
	const char *port = port_text(p, b, l->name);
	bool moves = false;

	if (l->master) {
		const struct net_link *m = net_find(f, l->master);

		if (!m || !streq(m->kind, "bridge") || !net_mark(m)) {
			step_hold(step, HOLD_CONFLICT,
				  arena_printf(a, "%s is a port of '%s', which isn't Manor's", port,
					       l->master));
			return;
		}
	}
	for (size_t i = 0; i < l->addresses.n; i++) {
		const struct net_address *addr = l->addresses.items[i];

		if (list_has(&b->addresses, addr->cidr)) {
			moves = true;
		} else if (addr->origin == NET_STATIC || addr->origin == NET_DYNAMIC) {
			step_hold(
				step, HOLD_CONFLICT,
				arena_printf(a,
					     "%s carries %s%s, which would be out of use in a "
					     "bridge: declare it under the bridge's addresses, or "
					     "remove it by hand",
					     port, addr->cidr,
					     addr->origin == NET_DYNAMIC ? " (from DHCP)" : ""));
			return;
		} else if (addr->origin == NET_AUTOCONF) {
			plan_note(p->plan, NOTE_WARNING, arena_printf(a, "bridge/%s", want->name),
				  arena_printf(a,
					       "%s carries %s from a router's announcement: out of "
					       "use in a bridge, which hears the next one itself",
					       l->name, addr->cidr));
		}
	}
	if (l->default_route && !moves)
		step_hold(step, HOLD_CONFLICT,
			  arena_printf(a,
				       "%s has the host's default route, which would be out of use "
				       "in a bridge: declare its address under the bridge's "
				       "addresses, and both move there",
				       port));
	else if (moves)
		plan_note(
			p->plan, NOTE_WARNING, arena_printf(a, "bridge/%s", want->name),
			arena_printf(a,
				     "the address%s of %s move%s to it; what else sets them on %s "
				     "at boot may do so again",
				     l->default_route ? " and the default route" : "", l->name,
				     l->default_route ? "" : "s", l->name));
}

/* Does step `from` wait for step `to`, itself or through others? The planner refuses circles. */
static bool waits(const struct plan *plan, size_t from, size_t to, unsigned depth)
{
	const struct step *s = &plan->steps[from];

	if (from == to || depth > 64)
		return true;
	for (size_t i = 0; i < s->n_after; i++)
		if (waits(plan, s->after[i].step, to, depth + 1))
			return true;
	return false;
}

static bool takes_from(const struct step *taker, const struct step *giver)
{
	const struct bridge *t = taker->want_record, *had = taker->have_record;
	const struct bridge *g = giver->have_record;

	if (!t || !g || giver->action != ACTION_UPDATE)
		return false;
	for (size_t i = 0; i < t->devices.n; i++)
		if (list_has(&g->devices, t->devices.items[i]) &&
		    !(had && list_has(&had->devices, t->devices.items[i])))
			return true;
	return false;
}

/* A bridge that gets another's port waits until that one let go of it, as the plan says it will. */
static void order(struct plan *plan, struct step *step)
{
	size_t me = (size_t)(step - plan->steps);

	for (size_t i = 0; i < plan->n; i++) {
		struct step *other = &plan->steps[i];

		if (i == me || other->kind != &kind_bridge)
			continue;
		if (takes_from(step, other) && !waits(plan, i, me, 0))
			step_after(plan, step, i, true);
		else if (takes_from(other, step) && !waits(plan, me, i, 0))
			step_after(plan, other, me, true);
	}
}

static void decide_removal(struct planning *p, const struct actual *have, struct step *step)
{
	const struct net_link *l = have->data;
	const struct bridge *b = have->record;

	step->serial = BRIDGE_SERIAL;
	step->timeout_s = BRIDGE_TIMEOUT_S;
	for (size_t i = 0; i < b->devices.n; i++) {
		const struct net_link *port = net_find(net_facts(p->facts), b->devices.items[i]);

		if (port && !streq(net_mark(port), have->uuid) && !declared(p, port))
			step_hold(step, HOLD_CONFLICT,
				  arena_printf(p->arena, "a bridge with foreign ports stays: %s",
					       port->name));
	}
	if (l->default_route)
		step_hold(step, HOLD_CONFLICT,
			  "the host's default route goes through it: move that by hand first");
	for (size_t i = 0; i < b->addresses.n; i++)
		step->loses = arena_printf(p->arena, "%s%s%s",
					   step->loses ? step->loses : "the host's address ",
					   i ? ", " : "", (const char *)b->addresses.items[i]);
}

/* What is wanted, with the devices in it: those of the manifest's ports, and those that somebody
 * else put there, which stay. */
static struct bridge *complete(struct planning *p, const struct resource *want,
			       const struct actual *have)
{
	struct bridge *b = arena_alloc(p->arena, sizeof(*b));
	const struct bridge *h = have && !have->half_made ? have->record : NULL;

	*b = *(const struct bridge *)want->record;
	b->devices = (struct list){0};
	if (!resolve(p, want, &b->devices))
		return b; /* not known: not compared */
	for (size_t i = 0; h && i < h->devices.n; i++) {
		const struct net_link *l = net_find(net_facts(p->facts), h->devices.items[i]);

		if (l && !streq(net_mark(l), want->uuid) && !declared(p, l) &&
		    !list_has(&b->devices, l->name))
			list_add(p->arena, &b->devices, (char *)l->name);
	}
	field_mark(&bridge_table, b, "devices");
	return b;
}

/* Addresses that a port still carries, or carries again: a DHCP client's, say. They are its
 * owner's. */
static void note_lost(struct planning *p, const struct resource *want, const struct bridge *h)
{
	for (size_t i = 0; i < h->devices.n; i++) {
		const struct net_link *l = net_find(net_facts(p->facts), h->devices.items[i]);

		for (size_t j = 0; l && j < l->addresses.n; j++) {
			const struct net_address *addr = l->addresses.items[j];

			if (addr->origin != NET_LINKLOCAL &&
			    !list_has(&h->port_addresses, addr->cidr))
				plan_note(p->plan, NOTE_WARNING,
					  arena_printf(p->arena, "bridge/%s", want->name),
					  arena_printf(p->arena,
						       "its port %s carries %s, which is out "
						       "of use there",
						       l->name, addr->cidr));
		}
	}
}

void bridge_decide(struct planning *p, const struct resource *want, const struct actual *have,
		   struct step *step)
{
	const struct bridge *h = have && !have->half_made ? have->record : NULL;
	struct changes changes = {0};
	struct bridge *b;

	if (!want) {
		if (have)
			decide_removal(p, have, step);
		return;
	}
	b = complete(p, want, have);
	if (h) {
		note_lost(p, want, h);
		record_diff(p->arena, &bridge_table, b, h, p->facts, &changes);
	}
	if (!step && (!have || changes.n == 0))
		return;
	if (!step) {
		step = plan_add(p->plan, ACTION_UPDATE, &kind_bridge, want->name, want->uuid);
		step->want = want;
		step->have_record = have->record;
	}
	step->want_record = b;
	if (h) {
		step->changes = changes;
		step->impact = changes_worst(&changes);
		step->why = words(p->arena, &changes);
	}
	if (!step->why)
		step->why = contents(p->arena, b);
	step->serial = BRIDGE_SERIAL;
	step->timeout_s = BRIDGE_TIMEOUT_S;
	for (size_t i = 0; i < b->devices.n; i++) {
		const struct net_link *l = net_find(net_facts(p->facts), b->devices.items[i]);

		if (l && !(h && list_has(&h->devices, l->name)))
			guard_port(p, want, l, step);
	}
	order(p->plan, step);
}

void bridge_meet(struct planning *p, const struct resource *want, const struct actual *foreign,
		 const struct changes *diff, struct step *step)
{
	const struct net_link *l = foreign->data;
	struct changes changes;

	record_diff(p->arena, &bridge_table, complete(p, want, foreign), foreign->record, p->facts,
		    &changes);
	if (streq(l->kind, "bridge") && !net_mark(l) && changes.n == 0) {
		step_drop(step);
		plan_note(p->plan, NOTE_KEPT, arena_printf(p->arena, "bridge/%s", want->name),
			  "not Manor's, and as its manifest says: used, and left as it is");
		return;
	}
	step_hold(step, HOLD_CONFLICT,
		  streq(l->kind, "bridge") && !net_mark(l)
			  ? arena_printf(p->arena,
					 "%s; or write what is there, and guests may use it as it "
					 "is (%s)",
					 foreign->note, words(p->arena, &changes))
			  : foreign->note);
	bridge_decide(p, want, NULL, step);
}

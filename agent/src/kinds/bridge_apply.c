/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Making, changing and removing a bridge. It is made under a temporary name, marked, and only then
 * gets its own name; from there on, what is missing is a difference like any other, and making it
 * goes on as a change. So after a crash at any line the next run knows what it has before it.
 */
#include <errno.h>

#include "kinds/bridge.h"

static int fail_at(int r, struct err *e, const char *field)
{
	if (r < 0)
		err_at(e, "%s", field);
	return r;
}

/* What an earlier run left of this bridge: under its temporary name, with no other's mark, down and
 * without ports. */
static int clear_half_made(const struct net_facts *f, const char *temp, const char *uuid,
			   struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < f->links.n; i++) {
		const struct net_link *l = f->links.items[i];
		bool ports = false;

		if (!streq(l->kind, "bridge") || !streq(l->name, temp) || l->up)
			continue;
		if (l->alias && l->alias[0] && !streq(net_mark(l), uuid))
			continue;
		for (size_t j = 0; j < f->links.n; j++)
			ports |= streq(((const struct net_link *)f->links.items[j])->master,
				       l->name);
		if (!ports)
			r = net_link_remove(l->name, e);
	}
	return r;
}

static int make(struct work *w, const struct bridge *want, struct err *e)
{
	const char *uuid = w->step->uuid;
	const char *mark = arena_printf(w->arena, NET_MARK "%s", uuid);
	char temp[NET_NAME_MAX + 1], mac[MAC_TEXT];
	int r;

	bridge_temp_name(uuid, temp);
	r = clear_half_made(net_facts(w->facts), temp, uuid, e);
	/* A bridge without a link of the host would take a guest's MAC, which all guests' ports
	 * share, and lose it with the last of them: it gets one of its own, the same at each
	 * boot. */
	ident_mac(uuid, "bridge", want->device, mac);
	if (r >= 0)
		r = net_bridge_add(temp, want->devices.n ? NULL : mac, want->stp, e);
	if (r >= 0)
		r = net_link_alias(temp, mark, e);
	if (r >= 0 && field_is_set(&bridge_table, want, "mtu"))
		r = fail_at(net_link_mtu(temp, want->mtu, e), e, "mtu");
	if (r >= 0)
		r = net_link_rename(temp, want->device, e);
	return r;
}

static int release(const struct net_link *l, const char *uuid, struct err *e)
{
	int r = net_link_master(l->name, NULL, e);

	if (r >= 0 && streq(net_mark(l), uuid))
		r = net_link_alias(l->name, "", e);
	return r;
}

static int enslave(struct work *w, const struct net_link *l, const char *bridge, struct err *e)
{
	int r = 0;

	/* The mark says who made it a port. What a person or another program wrote there stays. */
	if (!l->alias || net_mark(l))
		r = net_link_alias(l->name, arena_printf(w->arena, NET_MARK "%s", w->step->uuid),
				   e);
	if (r >= 0 && !l->up)
		r = net_link_up(l->name, true, e);
	if (r >= 0)
		r = net_link_master(l->name, bridge, e);
	return r;
}

/* Makes the bridge as wanted. `is`: as it was read; NULL: just made, down and bare. */
static int change(struct work *w, const struct bridge *want, const struct net_link *is,
		  struct err *e)
{
	const struct net_facts *f = net_facts(w->facts);
	const char *name = want->device;
	bool renames = is && !streq(is->name, name);
	int r = 0;

	for (size_t i = 0; is && r >= 0 && i < f->links.n; i++) {
		const struct net_link *l = f->links.items[i];

		if (streq(l->master, is->name) && !bridge_guest_port(l) &&
		    field_is_set(&bridge_table, want, "devices") &&
		    !list_has(&want->devices, l->name))
			r = fail_at(release(l, w->step->uuid, e), e, "ports");
	}
	if (r >= 0 && is && renames && is->up)
		r = net_link_up(is->name, false, e);
	if (r >= 0 && is && renames)
		r = net_link_rename(is->name, name, e);
	if (r >= 0 && is && is->stp != want->stp)
		r = fail_at(net_bridge_stp(name, want->stp, e), e, "stp");
	if (r >= 0 && is && field_is_set(&bridge_table, want, "mtu") && is->mtu != want->mtu)
		r = fail_at(net_link_mtu(name, want->mtu, e), e, "mtu");
	if (r >= 0 && (!is || !is->up || renames))
		r = net_link_up(name, true, e);
	/* The bridge has its addresses before a port loses them to it: the host is away for no
	 * longer than it takes to move the routes. */
	if (r >= 0 && field_is_set(&bridge_table, want, "addresses"))
		r = fail_at(net_addresses_set(name, &want->addresses, e), e, "addresses");
	for (size_t i = 0; r >= 0 && i < want->devices.n; i++) {
		const char *device = want->devices.items[i];
		const struct net_link *l = net_find(f, device);

		if (!l)
			r = err_set(e, -ENODEV, "%s is gone since the plan was made", device);
		else if (!is || !streq(l->master, is->name))
			r = enslave(w, l, name, e);
		if (r >= 0)
			r = net_addresses_move(device, name, e);
		fail_at(r, e, "ports");
	}
	return r;
}

static int take_away(struct work *w, struct err *e)
{
	const struct net_facts *f = net_facts(w->facts);
	const struct net_link *is = w->now ? w->now->data : NULL;
	int r = 0;

	if (!is)
		return 0;
	for (size_t i = 0; i < f->links.n; i++) {
		const struct net_link *l = f->links.items[i];

		if (!streq(l->master, is->name) || streq(net_mark(l), w->step->uuid))
			continue;
		/* A declared link that bears somebody's own alias was made a port by us all the
		 * same. */
		if (!bridge_guest_port(l) && streq(l->kind, "phys"))
			continue;
		err_help(e, "take it out of the bridge first: ip link set %s nomaster", l->name);
		return err_set(e, -EBUSY, "a bridge with foreign ports stays: %s", l->name);
	}
	for (size_t i = 0; r >= 0 && i < f->links.n; i++) {
		const struct net_link *l = f->links.items[i];

		if (streq(l->master, is->name) || (l != is && streq(net_mark(l), w->step->uuid)))
			r = release(l, w->step->uuid, e);
	}
	return r < 0 ? r : net_link_remove(is->name, e);
}

int bridge_apply(struct work *w, struct err *e)
{
	const struct bridge *want = w->step->want_record;
	bool there = w->now && !w->now->half_made;
	int r;

	if (w->step->action == ACTION_REMOVE)
		return take_away(w, e);
	if (there)
		return change(w, want, w->now->data, e);
	r = make(w, want, e);
	return r < 0 ? r : change(w, want, NULL, e);
}

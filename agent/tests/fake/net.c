/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * host/net.h over a network in memory, which does what the kernel does as far as a step can see.
 */
#include "host/net.h"

#include <errno.h>

#include "tests/fake/fake.h"

const char *const net_origin_words[] = {"static", "dynamic", "autoconf", "link-local", NULL};

static struct arena *arena; /* of the host's state; lives as long as the program */
static struct net_facts host;
static int64_t next_index;

static void copy(struct arena *a, const struct net_facts *from, struct net_facts *ret)
{
	*ret = (struct net_facts){0};
	for (size_t i = 0; i < from->links.n; i++) {
		const struct net_link *l = from->links.items[i];
		struct net_link *c = arena_alloc(a, sizeof(*c));

		*c = *l;
		c->rec = (struct record){0};
		c->name = arena_strdup(a, l->name);
		c->kind = arena_strdup(a, l->kind);
		c->mac = arena_strdup(a, l->mac);
		c->permanent_mac = arena_strdup(a, l->permanent_mac);
		c->path = arena_strdup(a, l->path);
		c->alias = arena_strdup(a, l->alias);
		c->state = arena_strdup(a, l->state);
		c->master = arena_strdup(a, l->master);
		c->lower = arena_strdup(a, l->lower);
		c->addresses = (struct list){0};
		for (size_t j = 0; j < l->addresses.n; j++) {
			const struct net_address *addr = l->addresses.items[j];
			struct net_address *x = arena_alloc(a, sizeof(*x));

			*x = (struct net_address){.cidr = arena_strdup(a, addr->cidr),
						  .origin = addr->origin};
			list_add(a, &c->addresses, x);
		}
		list_add(a, &ret->links, c);
	}
}

void fake_net_load(const struct net_facts *f)
{
	static const struct net_facts none;

	arena_free(arena);
	arena = arena_new();
	copy(arena, f ? f : &none, &host);
	next_index = 1;
	for (size_t i = 0; i < host.links.n; i++) {
		const struct net_link *l = host.links.items[i];

		next_index = MAX_OF(next_index, l->ifindex + 1);
	}
}

int net_read(struct arena *a, struct net_facts *ret, struct err *e)
{
	copy(a, &host, ret);
	return 0;
}

static struct net_link *find(const char *name)
{
	return (struct net_link *)net_find(&host, name);
}

static int need(const char *name, struct net_link **ret, struct err *e)
{
	struct net_link *l = find(name);

	if (!l)
		return err_set(e, -ENODEV, "there is no link %s", name);
	*ret = l;
	return 0;
}

/* How a call that changes a link begins: it fails in its turn, or has the link. */
static int begin(const char *call, const char *name, struct net_link **ret, struct err *e)
{
	int r = fake_turn(call, e);

	return r < 0 ? r : need(name, ret, e);
}

int net_bridge_add(const char *name, const char *mac, bool stp, struct err *e)
{
	struct net_link *l;

	FAKE_FAIL(e);
	if (!arena)
		fake_net_load(NULL);
	if (strlen(name) > NET_NAME_MAX)
		return err_set(e, -EINVAL, "'%s' can't be a link's name: 1 to %d bytes", name,
			       NET_NAME_MAX);
	if (find(name))
		return err_set(e, -EEXIST, "make bridge %s: File exists", name);
	l = arena_alloc(arena, sizeof(*l));
	*l = (struct net_link){
		.name = arena_strdup(arena, name),
		.ifindex = next_index++,
		.kind = "bridge",
		.mac = arena_strdup(arena, mac ? mac : "02:00:00:00:00:01"),
		.mtu = 1500,
		.state = "down",
		.stp = stp,
	};
	list_add(arena, &host.links, l);
	return 0;
}

int net_bridge_stp(const char *name, bool on, struct err *e)
{
	struct net_link *l;
	int r = begin(__func__, name, &l, e);

	if (r >= 0)
		l->stp = on;
	return r;
}

int net_link_alias(const char *name, const char *alias, struct err *e)
{
	struct net_link *l;
	int r = begin(__func__, name, &l, e);

	if (r >= 0)
		l->alias = *alias ? arena_strdup(arena, alias) : NULL;
	return r;
}

int net_link_rename(const char *name, const char *to, struct err *e)
{
	struct net_link *l;
	int r = begin(__func__, name, &l, e);

	if (r < 0)
		return r;
	if (find(to))
		return err_set(e, -EEXIST, "to %s: rename %s: File exists", to, name);
	if (l->up)
		return err_set(e, -EBUSY, "to %s: rename %s: Device or resource busy", to, name);
	for (size_t i = 0; i < host.links.n; i++) {
		struct net_link *port = host.links.items[i];

		if (streq(port->master, name))
			port->master = arena_strdup(arena, to);
	}
	l->name = arena_strdup(arena, to);
	return 0;
}

int net_link_mtu(const char *name, int64_t mtu, struct err *e)
{
	struct net_link *l;
	int r = begin(__func__, name, &l, e);

	if (r >= 0)
		l->mtu = mtu;
	return r;
}

int net_link_up(const char *name, bool up, struct err *e)
{
	struct net_link *l;
	int r = begin(__func__, name, &l, e);

	if (r < 0)
		return r;
	l->up = up;
	l->state = up ? "up" : "down";
	if (!up)
		l->default_route = false; /* the kernel drops the routes through it */
	return 0;
}

int net_link_master(const char *name, const char *master, struct err *e)
{
	struct net_link *l, *above = NULL;
	int r = begin(__func__, name, &l, e);

	if (r >= 0 && master)
		r = need(master, &above, e);
	if (r < 0)
		return r;
	if (above && (!streq(above->kind, "bridge") || streq(l->kind, "bridge")))
		return err_set(e, -EINVAL, "bridge %s: make a port of %s", master, name);
	l->master = above ? above->name : NULL;
	return 0;
}

int net_link_remove(const char *name, struct err *e)
{
	struct net_link *l = find(name);

	FAKE_FAIL(e);
	if (!l)
		return 0;
	if (streq(l->kind, "phys"))
		return err_set(e, -EOPNOTSUPP, "remove %s", name);
	for (size_t i = 0, n = host.links.n; i < n; i++) {
		struct net_link *port = host.links.items[i];

		if (streq(port->master, name))
			port->master = NULL;
	}
	for (size_t i = 0, k = 0, n = host.links.n; i < n; i++) {
		if (host.links.items[i] == l)
			host.links.n--;
		else
			host.links.items[k++] = host.links.items[i];
	}
	return 0;
}

static void drop(struct net_link *l, size_t i)
{
	for (size_t j = i + 1; j < l->addresses.n; j++)
		l->addresses.items[j - 1] = l->addresses.items[j];
	l->addresses.n--;
}

static bool carries(const struct net_link *l, const char *cidr)
{
	for (size_t i = 0; i < l->addresses.n; i++)
		if (streq(((const struct net_address *)l->addresses.items[i])->cidr, cidr))
			return true;
	return false;
}

int net_addresses_set(const char *name, const struct list *cidrs, struct err *e)
{
	struct net_link *l;
	int r = begin(__func__, name, &l, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < cidrs->n; i++) {
		struct net_address *addr;

		if (carries(l, cidrs->items[i]))
			continue;
		addr = arena_alloc(arena, sizeof(*addr));
		addr->cidr = arena_strdup(arena, cidrs->items[i]);
		list_add(arena, &l->addresses, addr);
	}
	FAKE_FAIL(e); /* between what comes and what goes */
	for (size_t i = 0; i < l->addresses.n;) {
		const struct net_address *addr = l->addresses.items[i];

		if (addr->origin == NET_STATIC && !list_has(cidrs, addr->cidr))
			drop(l, i);
		else
			i++;
	}
	return 0;
}

int net_addresses_move(const char *port, const char *bridge, struct err *e)
{
	struct net_link *from, *to;
	bool any = false;
	int r = begin(__func__, port, &from, e);

	if (r >= 0)
		r = need(bridge, &to, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < from->addresses.n; i++) {
		const struct net_address *addr = from->addresses.items[i];

		any |= addr->origin != NET_LINKLOCAL && carries(to, addr->cidr);
	}
	if (!any)
		return 0;
	to->default_route |= from->default_route;
	from->default_route = false;
	FAKE_FAIL(e); /* the routes moved, the addresses not yet */
	for (size_t i = 0; i < from->addresses.n;) {
		const struct net_address *addr = from->addresses.items[i];

		if (addr->origin != NET_LINKLOCAL && carries(to, addr->cidr))
			drop(from, i);
		else
			i++;
	}
	return 0;
}

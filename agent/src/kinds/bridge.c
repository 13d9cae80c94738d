/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Bridges: what the manifest says of them, what the host has, and what that means for a plan. How
 * they are made and changed stands in bridge_apply.c.
 *
 * Ports are compared by the host's names (`devices`), which decide() fills in: only with the facts
 * at hand is it known which device a link is.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/num.h"
#include "kinds/bridge.h"
#include "kinds/kinds.h"

#define ROW(s, m, t, ...)                                                                          \
	{                                                                                          \
		.name = #m, .type = t, .offset = FIELD_AT(s, m), __VA_ARGS__                       \
	}

TABLE(bridge_table, bridge, "bridge",
      "Bridges that guests' NICs and links of the host are ports of; at most 15 bytes of name.",
      ROW(bridge, ports, FIELD_LIST, .ref = "link", .parse = parse_name,
	  .flags = FIELD_CONFIG | FIELD_UNORDERED,
	  .doc = "links that are its ports; guests' ports come and go beside these"),
      ROW(bridge, mtu, FIELD_INT, .min = 68, .max = 65535, .impact = IMPACT_LIVE,
	  .doc = "largest packet, in bytes, for guests' ports too; left as it is when not given"),
      ROW(bridge, addresses, FIELD_LIST, .parse = parse_cidr, .flags = FIELD_UNORDERED,
	  .impact = IMPACT_LIVE,
	  .doc = "the host's own static addresses on it, as address/prefix, all of them; left as "
		 "they are when not given; DHCP's and the kernel's own are never touched"),
      ROW(bridge, stp, FIELD_BOOL, .def = "false", .impact = IMPACT_LIVE,
	  .doc = "the spanning tree protocol; without it a port forwards at once"),
      ROW(bridge, dhcp4, FIELD_BOOL, .flags = FIELD_CONFIG,
	  .doc = "a DHCP client asks for an IPv4 address, routes and name servers for it, on Manor's appliance"),
      ROW(bridge, device, FIELD_STRING, .flags = FIELD_DERIVED, .impact = IMPACT_LIVE,
	  .doc = "the bridge's name on the host"),
      ROW(bridge, devices, FIELD_LIST, .flags = FIELD_DERIVED | FIELD_UNORDERED,
	  .impact = IMPACT_LIVE, .doc = "ports by the host's names, without guests'"),
      ROW(bridge, port_addresses, FIELD_LIST, .flags = FIELD_DERIVED | FIELD_UNORDERED,
	  .impact = IMPACT_LIVE, .doc = "addresses of the bridge that a port carries too"),
      ROW(bridge, up, FIELD_BOOL, .flags = FIELD_DERIVED, .impact = IMPACT_LIVE,
	  .doc = "whether it is up"),
      ROW(bridge, dynamic, FIELD_LIST, .flags = FIELD_STATUS,
	  .doc = "addresses of DHCP, of routers' announcements and link-local ones"),
      ROW(bridge, guests, FIELD_LIST, .flags = FIELD_STATUS, .doc = "guests' ports"));

/* ---- the manifest ---- */

static struct span port_span(const struct bridge *b, size_t i)
{
	return field_item_span(b, "ports", &b->ports, i);
}

static struct span address_span(const struct bridge *b, size_t i)
{
	return field_item_span(b, "addresses", &b->addresses, i);
}

static void check_name(struct manifest *m, const struct resource *r)
{
	/* The kernel's sysctls have directories of these names beside those of the links. */
	static const char *const taken[] = {"all", "default", "lo"};
	struct diag *g;

	if (strlen(r->name) > NET_NAME_MAX)
		diag_error(m->diags, "name-too-long", r->span,
			   "bridge '%s' has %zu bytes of name; Linux takes %d", r->name,
			   strlen(r->name), NET_NAME_MAX);
	if (startswith(r->name, NET_TEMP)) {
		g = diag_error(m->diags, "reserved-name", r->span,
			       "bridge '%s' has a name that begins with '%s'", r->name, NET_TEMP);
		diag_help(m->diags, g, "such names mark bridges that are being made");
	}
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		if (streq(r->name, taken[i]))
			diag_error(m->diags, "reserved-name", r->span,
				   "a bridge can't be named '%s': the kernel uses that itself",
				   r->name);
}

struct subnet {
	int family;
	unsigned char ip[16];
	unsigned prefix;
};

static bool subnet_of(const char *cidr, struct subnet *ret)
{
	char ip[INET6_ADDRSTRLEN];
	const char *slash = strchr(cidr, '/');
	int64_t prefix;

	if (!slash || num_parse_int(slash + 1, 0, 128, &prefix) < 0 ||
	    (size_t)(slash - cidr) >= sizeof(ip))
		return false;
	memcpy(ip, cidr, (size_t)(slash - cidr));
	ip[slash - cidr] = '\0';
	*ret = (struct subnet){.family = strchr(ip, ':') ? AF_INET6 : AF_INET,
			       .prefix = (unsigned)prefix};
	return inet_pton(ret->family, ip, ret->ip) == 1 &&
	       ret->prefix <= (ret->family == AF_INET ? 32 : 128);
}

/* Whether all bits behind the network's are `one`. */
static bool host_bits(const struct subnet *n, bool one)
{
	unsigned bits = n->family == AF_INET ? 32 : 128;

	for (unsigned i = n->prefix; i < bits; i++)
		if ((n->ip[i / 8] >> (7 - i % 8) & 1) != one)
			return false;
	return true;
}

/* Why a host can't have it; NULL: it can. */
static const char *not_a_host(const struct subnet *n)
{
	static const unsigned char loopback[16] = {[15] = 1}, none[16] = {0};
	bool four = n->family == AF_INET;

	if (memcmp(n->ip, none, four ? 4 : 16) == 0)
		return "it stands for any address";
	if (four ? n->ip[0] == 127 : memcmp(n->ip, loopback, 16) == 0)
		return "it is the host's own of the loopback";
	if (four ? n->ip[0] >= 224 : n->ip[0] == 0xff)
		return four && n->ip[0] >= 240 ? "it is reserved" : "it is a multicast address";
	if (n->prefix == 0)
		return "its network would be all there is";
	if (n->prefix < (four ? 31 : 127) && host_bits(n, false))
		return "it is the network itself";
	if (four && n->prefix < 31 && host_bits(n, true))
		return "it is the broadcast address of its network";
	return NULL;
}

static void check_address(struct manifest *m, const struct bridge *b, size_t index)
{
	const char *cidr = b->addresses.items[index], *why;
	struct subnet mine, other;
	struct diag *g;

	if (!subnet_of(cidr, &mine))
		return;
	why = not_a_host(&mine);
	if (why) {
		g = diag_error(m->diags, "bad-value", address_span(b, index),
			       "'%s' can't be an address of this host: %s", cidr, why);
		diag_help(m->diags, g,
			  "give the host's own address in its network, such as 10.0.0.1/24");
	}
	for (size_t i = 0; i < index; i++) {
		if (!subnet_of(b->addresses.items[i], &other) || other.family != mine.family ||
		    memcmp(other.ip, mine.ip, mine.family == AF_INET ? 4 : 16) != 0 ||
		    other.prefix == mine.prefix)
			continue;
		g = diag_error(m->diags, "duplicate-address", address_span(b, index),
			       "the same address as %s, with another network",
			       (const char *)b->addresses.items[i]);
		diag_also(m->diags, g, address_span(b, i), "first here");
		return;
	}
}

static void bridge_prepare(struct manifest *m, struct resource *r)
{
	struct bridge *b = r->record;
	struct diag *g;

	if (!r->misnamed)
		check_name(m, r);
	for (size_t i = 0; i < b->addresses.n; i++) {
		check_address(m, b, i);
		if (strncmp(b->addresses.items[i], "fe80:", 5) != 0)
			continue;
		g = diag_error(m->diags, "link-local", address_span(b, i),
			       "'%s' is a link-local address", (const char *)b->addresses.items[i]);
		diag_help(m->diags, g, "every link that is up has one of its own; leave it out");
	}
	b->device = r->name;
	b->up = true;
	field_mark(&bridge_table, b, "device");
	field_mark(&bridge_table, b, "up");
	field_mark(&bridge_table, b, "port_addresses");
}

static bool overlap(const char *one, const char *two)
{
	struct subnet x, y;
	unsigned bits;

	if (!subnet_of(one, &x) || !subnet_of(two, &y) || x.family != y.family)
		return false;
	bits = MIN_OF(x.prefix, y.prefix);
	if (memcmp(x.ip, y.ip, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((x.ip[bits / 8] ^ y.ip[bits / 8]) >> (8 - bits % 8)) == 0;
}

static void check_pair(struct manifest *m, const struct resource *r, const struct resource *s)
{
	const struct bridge *b = r->record, *c = s->record;
	struct diag *g;

	for (size_t i = 0; i < b->ports.n; i++) {
		for (size_t j = 0; j < c->ports.n; j++) {
			if (!streq(b->ports.items[i], c->ports.items[j]))
				continue;
			g = diag_error(m->diags, "port-in-two-bridges", port_span(b, i),
				       "link '%s' is a port of bridge '%s' and of bridge '%s'",
				       (const char *)b->ports.items[i], s->name, r->name);
			diag_also(m->diags, g, port_span(c, j), "here already");
		}
	}
	for (size_t i = 0; i < b->addresses.n; i++) {
		for (size_t j = 0; j < c->addresses.n; j++) {
			const char *x = b->addresses.items[i], *y = c->addresses.items[j];
			bool same = (size_t)(strchr(x, '/') - x) == (size_t)(strchr(y, '/') - y) &&
				    strncmp(x, y, (size_t)(strchr(x, '/') - x)) == 0;

			if (!same && !overlap(x, y))
				continue;
			g = diag_error(m->diags, same ? "duplicate-address" : "overlapping-subnets",
				       address_span(b, i),
				       same ? "bridges '%s' and '%s' have the same address %s"
					    : "bridges '%s' and '%s' have overlapping subnets: %s",
				       s->name, r->name, x);
			diag_also(m->diags, g, address_span(c, j), "and here %s", y);
		}
	}
}

static void bridge_check(struct manifest *m)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct bridge *b = r->record;

		if (r->kind != &kind_bridge)
			continue;
		for (size_t j = 0; j < i; j++)
			if (m->resources[j]->kind == &kind_bridge)
				check_pair(m, r, m->resources[j]);
		for (size_t j = 0; j < b->ports.n; j++) {
			const struct resource *port = manifest_find(m, "link", b->ports.items[j]);
			const struct link *l = port ? port->record : NULL;
			struct diag *g;

			if (!l || !field_is_set(port->kind->table, l, "up") || l->up)
				continue;
			g = diag_error(m->diags, "port-down", port_span(b, j),
				       "link '%s' is a port of bridge '%s' and is to be down",
				       port->name, r->name);
			diag_also(m->diags, g, field_span(l, "up"), "said here");
		}
	}
}

/* ---- the host ---- */

bool bridge_guest_port(const struct net_link *l)
{
	return streq(l->kind, "vif") || streq(l->kind, "tun");
}

const char *bridge_temp_name(const char *uuid, char buf[NET_NAME_MAX + 1])
{
	snprintf(buf, NET_NAME_MAX + 1, NET_TEMP "%.8s", uuid);
	return buf;
}

static bool has_address(const struct net_link *l, const char *cidr)
{
	for (size_t i = 0; i < l->addresses.n; i++)
		if (streq(((const struct net_address *)l->addresses.items[i])->cidr, cidr))
			return true;
	return false;
}

static void fill(struct arena *a, const struct net_facts *f, const struct net_link *l,
		 struct bridge *b)
{
	static const char *const fields[] = {"mtu",    "addresses", "stp",
					     "device", "devices",   "port_addresses",
					     "up",     "dynamic",   "guests"};

	b->mtu = l->mtu;
	b->stp = l->stp;
	b->up = l->up;
	b->device = l->name;
	for (size_t i = 0; i < l->addresses.n; i++) {
		struct net_address *addr = l->addresses.items[i];

		list_add(a, addr->origin == NET_STATIC ? &b->addresses : &b->dynamic,
			 (char *)addr->cidr);
	}
	for (size_t i = 0; i < f->links.n; i++) {
		const struct net_link *port = f->links.items[i];

		if (!streq(port->master, l->name))
			continue;
		list_add(a, bridge_guest_port(port) ? &b->guests : &b->devices, (char *)port->name);
		for (size_t j = 0; j < port->addresses.n; j++) {
			struct net_address *addr = port->addresses.items[j];

			if (addr->origin != NET_LINKLOCAL && has_address(l, addr->cidr))
				list_add(a, &b->port_addresses, (char *)addr->cidr);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		field_mark(&bridge_table, b, fields[i]);
}

/* The resource that a link's mark, or its temporary name, speaks of; or NULL. */
static const struct resource *owner(const struct manifest *m, const struct net_link *l)
{
	const char *uuid = net_mark(l);
	char temp[NET_NAME_MAX + 1];

	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];

		if (r->kind != &kind_bridge)
			continue;
		if (uuid ? streq(uuid, r->uuid) : streq(l->name, bridge_temp_name(r->uuid, temp)))
			return r;
	}
	return NULL;
}

/* Marked by this namespace, though no longer in the manifest: the name gives the same UUID. */
static bool ours(const struct manifest *m, const struct net_link *l)
{
	char uuid[UUID_TEXT];

	if (!m->namespace || !net_mark(l))
		return false;
	ident_uuid(m->namespace, "bridge", l->name, uuid);
	return streq(net_mark(l), uuid);
}

static bool listed(const struct actuals *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!l->list[i].foreign && streq(l->list[i].name, name))
			return true;
	return false;
}

static void bridge_actual(struct arena *a, const struct facts *f, const struct manifest *m,
			  struct actuals *ret)
{
	const struct net_facts *net = net_facts(f);

	/* Finished ones first: a half-made one counts only where there is none. */
	for (int half = 0; half < 2; half++) {
		for (size_t i = 0; i < net->links.n; i++) {
			const struct net_link *l = net->links.items[i];
			const struct resource *r = owner(m, l);
			bool temp = startswith(l->name, NET_TEMP);
			struct actual *x;

			if (temp != (half == 1))
				continue;
			/* What isn't a bridge matters only where it has the name of one. */
			if (!streq(l->kind, "bridge")) {
				r = manifest_find(m, "bridge", l->name);
				if (!r)
					continue;
				x = actual_add(a, ret, &kind_bridge, l->name);
				x->foreign = true;
				x->note = arena_printf(a,
						       "a link '%s' that isn't a bridge is there: "
						       "rename one of the two",
						       l->name);
				x->data = l;
				continue;
			}
			if (temp && r && listed(ret, r->name))
				continue;
			x = actual_add(a, ret, &kind_bridge, r ? r->name : l->name);
			x->data = l;
			x->state = l->state;
			fill(a, net, l, x->record);
			if (r || (!temp && ours(m, l))) {
				x->uuid = r ? r->uuid : net_mark(l);
				x->half_made = temp;
				continue;
			}
			x->foreign = true;
			if (manifest_find(m, "bridge", l->name))
				x->note =
					arena_printf(a,
						     "bridge '%s' is there and not Manor's: "
						     "rename one of the two, or remove it by hand",
						     l->name);
		}
	}
}

static const char *const readers[] = {"net", NULL};

const struct kind kind_bridge = {
	.name = "bridge",
	.section = "bridges",
	.table = &bridge_table,
	.readers = readers,
	.prepare = bridge_prepare,
	.check = bridge_check,
	.actual = bridge_actual,
	.decide = bridge_decide,
	.meet = bridge_meet,
	.apply = bridge_apply,
};

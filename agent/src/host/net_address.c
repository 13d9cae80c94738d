/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Addresses of a link, changed so that the routes which hang on them survive.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "base/log.h"
#include "base/num.h"
#include "host/net.h"
#include "host/netlink.h"

#define MAX_ROUTES 1024 /* of one link, that somebody set: more is no host of ours */

struct cidr {
	int family;
	unsigned prefix;
	unsigned char ip[16];
	size_t n; /* bytes of it */
};

static int parse(const char *text, struct cidr *ret, struct err *e)
{
	char ip[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	struct cidr c = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	int64_t prefix;

	c.n = c.family == AF_INET ? 4 : 16;
	if (!slash || (size_t)(slash - text) >= sizeof(ip) ||
	    num_parse_int(slash + 1, 0, (int64_t)c.n * 8, &prefix) < 0)
		return err_set(e, -EINVAL, "'%s' is not an address with a prefix", text);
	memcpy(ip, text, (size_t)(slash - text));
	ip[slash - text] = '\0';
	if (inet_pton(c.family, ip, c.ip) != 1)
		return err_set(e, -EINVAL, "'%s' is not an address with a prefix", text);
	c.prefix = (unsigned)prefix;
	*ret = c;
	return 0;
}

static int address(struct nl_sock *sk, int type, const char *name, unsigned index, const char *text,
		   struct err *e)
{
	_cleanup_nl_msg_ struct nl_msg *m = NULL;
	struct ifaddrmsg msg = {.ifa_index = index};
	struct cidr c;
	int r = parse(text, &c, e);

	if (r < 0)
		return r;
	msg.ifa_family = (unsigned char)c.family;
	msg.ifa_prefixlen = (unsigned char)c.prefix;
	m = netlink_new(type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0, &msg,
			sizeof(msg));
	netlink_attr(m, IFA_LOCAL, c.ip, c.n);
	netlink_attr(m, IFA_ADDRESS, c.ip, c.n);
	if (type == RTM_NEWADDR && c.family == AF_INET && c.prefix < 31) {
		uint32_t v4, host = UINT32_MAX >> c.prefix;

		memcpy(&v4, c.ip, 4);
		v4 |= htonl(host);
		netlink_attr(m, IFA_BROADCAST, &v4, 4);
	}
	r = netlink_ask(sk, m);
	if ((type == RTM_NEWADDR && r == -EEXIST) || (type == RTM_DELADDR && r == -EADDRNOTAVAIL))
		return 0;
	if (r < 0)
		err_errno(e, r, "%s %s %s %s",
			  type == RTM_NEWADDR ? "add address" : "remove address", text,
			  type == RTM_NEWADDR ? "to" : "from", name);
	if (c.family == AF_INET6 && (r == -EACCES || r == -EPERM || r == -EOPNOTSUPP))
		err_help(e, "is IPv6 switched off (sysctl net.ipv6.conf.%s.disable_ipv6)?", name);
	return r;
}

/* Routes of the main table through one link that somebody set: not those the kernel makes with an
 * address, nor those a router announced. */
struct routes {
	unsigned index;
	struct nlmsghdr *list[MAX_ROUTES];
	size_t n;
};

static void routes_done(struct routes *r)
{
	while (r->n)
		free(r->list[--r->n]);
}

static int each_route(struct nlmsghdr *h, void *data, struct err *e)
{
	struct routes *routes = data;
	struct rtmsg *msg = nlmsg_data(h);
	struct nlattr *tb[RTA_MAX + 1];

	if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(h, sizeof(*msg), tb, RTA_MAX, NULL) < 0)
		return 0;
	if (msg->rtm_table != RT_TABLE_MAIN || msg->rtm_type != RTN_UNICAST ||
	    msg->rtm_protocol == RTPROT_KERNEL || msg->rtm_protocol == RTPROT_RA ||
	    (msg->rtm_flags & RTM_F_CLONED) || !tb[RTA_OIF] || nla_len(tb[RTA_OIF]) < 4 ||
	    nla_get_u32(tb[RTA_OIF]) != routes->index)
		return 0;
	if (routes->n == MAX_ROUTES)
		return err_set(e, -E2BIG, "more than %d routes through one link", MAX_ROUTES);
	routes->list[routes->n] = xcalloc(1, h->nlmsg_len);
	memcpy(routes->list[routes->n++], h, h->nlmsg_len);
	return 0;
}

static int routes_read(struct nl_sock *sk, unsigned index, struct routes *ret, struct err *e)
{
	const struct rtmsg main_table = {.rtm_family = AF_UNSPEC, .rtm_table = RT_TABLE_MAIN};
	int r = -EAGAIN;

	ret->index = index;
	for (int i = 0; i < 5 && r == -EAGAIN; i++) {
		routes_done(ret);
		r = netlink_dump(sk, RTM_GETROUTE, &main_table, sizeof(main_table), each_route, ret,
				 e);
	}
	return r;
}

/* The same route again, through the link of that index. */
static int route_put(struct nl_sock *sk, struct nlmsghdr *route, unsigned index, int flags)
{
	struct rtmsg msg = *(struct rtmsg *)nlmsg_data(route);
	_cleanup_nl_msg_ struct nl_msg *m = NULL;
	struct nlattr *attr;
	int left;

	msg.rtm_flags &= RTNH_F_ONLINK; /* the rest is the kernel's to say */
	m = netlink_new(RTM_NEWROUTE, NLM_F_CREATE | flags, &msg, sizeof(msg));
	nlmsg_for_each_attr(attr, route, sizeof(msg), left)
	{
		int type = nla_type(attr);

		if (type == RTA_CACHEINFO)
			continue;
		if (type == RTA_OIF)
			netlink_attr_u32(m, RTA_OIF, index);
		else
			netlink_attr(m, type, nla_data(attr), (size_t)nla_len(attr));
	}
	return netlink_ask(sk, m);
}

/* A gateway can be named only when the way to it is there: those without one go first. */
static bool has_gateway(struct nlmsghdr *route)
{
	return nlmsg_find_attr(route, sizeof(struct rtmsg), RTA_GATEWAY) ||
	       nlmsg_find_attr(route, sizeof(struct rtmsg), RTA_VIA);
}

static int routes_put(struct nl_sock *sk, const struct routes *routes, unsigned index, int flags)
{
	int worst = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < routes->n; i++) {
			int r;

			if (has_gateway(routes->list[i]) != (pass == 1))
				continue;
			r = route_put(sk, routes->list[i], index, flags);
			if (r < 0 && r != -EEXIST) {
				log_debug("a route can't be kept: %s", strerror(-r));
				worst = r;
			}
		}
	}
	return worst;
}

static int open_at(const char *name, struct nl_sock **ret, unsigned *ret_index, struct err *e)
{
	unsigned index = if_nametoindex(name);

	if (!index)
		return err_set(e, -ENODEV, "there is no link %s", name);
	*ret_index = index;
	return netlink_open(ret, e);
}

static bool has_address(const struct net_link *l, const char *cidr)
{
	for (size_t i = 0; i < l->addresses.n; i++) {
		const struct net_address *a = l->addresses.items[i];

		if (streq(a->cidr, cidr))
			return true;
	}
	return false;
}

static int add_all(struct nl_sock *sk, const char *name, unsigned index, const struct list *cidrs,
		   struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < cidrs->n; i++)
		r = address(sk, RTM_NEWADDR, name, index, cidrs->items[i], e);
	return r;
}

int net_addresses_set(const char *name, const struct list *cidrs, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_nl_sock_ struct nl_sock *sk = NULL;
	_cleanup_(routes_done) struct routes routes = {0};
	struct net_facts facts;
	const struct net_link *l;
	bool removed = false;
	unsigned index = 0;
	int r = open_at(name, &sk, &index, e);

	if (r >= 0)
		r = net_read(a, &facts, e);
	if (r < 0)
		return r;
	l = net_find(&facts, name);
	if (!l)
		return err_set(e, -ENODEV, "there is no link %s", name);
	r = routes_read(sk, index, &routes, e);
	/* First what comes, so that the link is never without an address and keeps its routes,
	 * however this ends. Then what goes. Then all again: with the first address of a subnet
	 * the kernel drops the others of it, unless promote_secondaries is on. */
	if (r >= 0)
		r = add_all(sk, name, index, cidrs, e);
	for (size_t i = 0; r >= 0 && i < l->addresses.n; i++) {
		const struct net_address *addr = l->addresses.items[i];

		if (addr->origin != NET_STATIC || list_has(cidrs, addr->cidr))
			continue;
		r = address(sk, RTM_DELADDR, name, index, addr->cidr, e);
		removed = true;
	}
	if (r >= 0 && removed)
		r = add_all(sk, name, index, cidrs, e);
	/* Also after a failure: what of the routes can still be had is better than none. */
	if (removed)
		routes_put(sk, &routes, index, NLM_F_EXCL);
	return r;
}

int net_addresses_move(const char *port, const char *bridge, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_nl_sock_ struct nl_sock *sk = NULL;
	_cleanup_(routes_done) struct routes routes = {0};
	struct net_facts facts;
	const struct net_link *from, *to;
	unsigned index = 0;
	bool any = false;
	int r = open_at(port, &sk, &index, e);

	if (r >= 0)
		r = net_read(a, &facts, e);
	if (r < 0)
		return r;
	from = net_find(&facts, port);
	to = net_find(&facts, bridge);
	if (!from || !to)
		return err_set(e, -ENODEV, "there is no link %s", from ? bridge : port);
	for (size_t i = 0; i < from->addresses.n; i++) {
		const struct net_address *addr = from->addresses.items[i];

		any |= addr->origin != NET_LINKLOCAL && has_address(to, addr->cidr);
	}
	if (!any)
		return 0;
	r = routes_read(sk, index, &routes, e);
	if (r < 0)
		return r;
	/* Replaced in place: at no moment is there no default route. */
	r = routes_put(sk, &routes, (unsigned)to->ifindex, NLM_F_REPLACE);
	if (r < 0)
		return err_errno(e, r, "move the routes of %s to %s", port, bridge);
	for (size_t i = 0; r >= 0 && i < from->addresses.n; i++) {
		const struct net_address *addr = from->addresses.items[i];

		if (addr->origin != NET_LINKLOCAL && has_address(to, addr->cidr))
			r = address(sk, RTM_DELADDR, port, index, addr->cidr, e);
	}
	return r;
}

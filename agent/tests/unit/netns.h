/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A network namespace of a test's own: entered, swept, furnished and looked at. In a header, for each
 * test is one program of one source.
 */
#pragma once

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>

#include "host/net.h"
#include "host/netlink.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

/* Only root may leave the host's network, and nothing here may ever touch that: false where it can't be
 * left, which is said as TAP. */
static inline bool netns_enter(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		return true;
	printf("1..0 # SKIP a network namespace of its own needs root: %s\n", strerror(errno));
	return false;
}

/* What look() read last. */
static struct arena *net_arena;
static struct net_facts net;

/* Reads it all anew: what an earlier call returned is gone. */
static inline const struct net_link *look(const char *name)
{
	_cleanup_err_ struct err e = {0};

	arena_free(net_arena);
	net_arena = arena_new();
	if (net_read(net_arena, &net, &e) < 0)
		fail_msg("%s", e.message);
	return net_find(&net, name);
}

/* Veths, bridges and the like of a story before: all gone. */
static inline void netns_sweep(void)
{
	look("");
	for (size_t i = 0; i < net.links.n; i++) {
		const struct net_link *l = net.links.items[i];

		if (streq(l->kind, "bridge") || streq(l->kind, "veth"))
			assert_int_equal(net_link_remove(l->name, NULL), 0);
	}
}

static inline void netns_tell(struct nl_msg *m)
{
	_cleanup_nl_sock_ struct nl_sock *sk = NULL;

	assert_int_equal(netlink_open(&sk, NULL), 0);
	assert_int_equal(netlink_ask(sk, m), 0);
}

/* `peer`: the other end's name; NULL: the kernel's choice. */
static inline void add_veth(const char *name, const char *peer)
{
	const struct ifinfomsg info = {0};
	_cleanup_nl_msg_ struct nl_msg *m =
		netlink_new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
	struct nlattr *li, *data, *other;

	netlink_attr(m, IFLA_IFNAME, name, strlen(name) + 1);
	li = nla_nest_start(m, IFLA_LINKINFO);
	nla_put_string(m, IFLA_INFO_KIND, "veth");
	if (peer) {
		data = nla_nest_start(m, IFLA_INFO_DATA);
		other = nla_nest_start(m, VETH_INFO_PEER);
		nlmsg_append(m, (void *)&info, sizeof(info), NLMSG_ALIGNTO);
		netlink_attr(m, IFLA_IFNAME, peer, strlen(peer) + 1);
		nla_nest_end(m, other);
		nla_nest_end(m, data);
	}
	nla_nest_end(m, li);
	netns_tell(m);
}

/* A link upon that one. */
static inline void add_macvlan(const char *name, const char *lower)
{
	const struct ifinfomsg info = {0};
	_cleanup_nl_msg_ struct nl_msg *m =
		netlink_new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
	struct nlattr *li;

	netlink_attr(m, IFLA_IFNAME, name, strlen(name) + 1);
	netlink_attr_u32(m, IFLA_LINK, if_nametoindex(lower));
	li = nla_nest_start(m, IFLA_LINKINFO);
	nla_put_string(m, IFLA_INFO_KIND, "macvlan");
	nla_nest_end(m, li);
	netns_tell(m);
}

static inline void add_default_route(const char *dev, uint32_t gateway)
{
	const struct rtmsg msg = {.rtm_family = AF_INET,
				  .rtm_table = RT_TABLE_MAIN,
				  .rtm_protocol = RTPROT_STATIC,
				  .rtm_scope = RT_SCOPE_UNIVERSE,
				  .rtm_type = RTN_UNICAST};
	_cleanup_nl_msg_ struct nl_msg *m =
		netlink_new(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &msg, sizeof(msg));
	const uint32_t gw = __builtin_bswap32(gateway);

	netlink_attr(m, RTA_GATEWAY, &gw, 4);
	netlink_attr_u32(m, RTA_OIF, if_nametoindex(dev));
	netns_tell(m);
}

/* At most two; NULL: one fewer. */
static inline void set_addresses(const char *name, const char *one, const char *two)
{
	const char *items[] = {one, two};
	struct list l = {.items = (void **)items, .n = !!one + !!two};
	_cleanup_err_ struct err e = {0};

	if (net_addresses_set(name, &l, &e) < 0)
		fail_msg("%s", e.message);
}

static inline bool carries(const struct net_link *l, const char *cidr)
{
	for (size_t i = 0; l && i < l->addresses.n; i++)
		if (streq(((const struct net_address *)l->addresses.items[i])->cidr, cidr))
			return true;
	return false;
}

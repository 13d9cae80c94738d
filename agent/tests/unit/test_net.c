/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Links, bridges and addresses against the real kernel, in a network namespace of the test's own.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "host/net.h"
#include "host/netlink.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

struct host {
	struct arena *arena;
	struct net_facts net;
};

/* A pair of veths, and `mnr-`, bridges and the like of a story before: all gone. */
static void sweep(void)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct net_facts f;

	assert_int_equal(net_read(a, &f, NULL), 0);
	for (size_t i = 0; i < f.links.n; i++) {
		const struct net_link *l = f.links.items[i];

		if (streq(l->kind, "bridge") || streq(l->kind, "veth"))
			assert_int_equal(net_link_remove(l->name, NULL), 0);
	}
}

static void add_veth(const char *name, const char *peer)
{
	const struct ifinfomsg info = {0};
	_cleanup_nl_sock_ struct nl_sock *sk = NULL;
	_cleanup_nl_msg_ struct nl_msg *m =
		netlink_new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
	struct nlattr *li, *data, *other;

	netlink_attr(m, IFLA_IFNAME, name, strlen(name) + 1);
	li = nla_nest_start(m, IFLA_LINKINFO);
	nla_put_string(m, IFLA_INFO_KIND, "veth");
	data = nla_nest_start(m, IFLA_INFO_DATA);
	other = nla_nest_start(m, VETH_INFO_PEER);
	nlmsg_append(m, (void *)&info, sizeof(info), NLMSG_ALIGNTO);
	netlink_attr(m, IFLA_IFNAME, peer, strlen(peer) + 1);
	nla_nest_end(m, other);
	nla_nest_end(m, data);
	nla_nest_end(m, li);
	assert_int_equal(netlink_open(&sk, NULL), 0);
	assert_int_equal(netlink_ask(sk, m), 0);
}

/* A route of the main table; dst NULL: the default one. */
static void add_default_route(const char *dev, uint32_t gateway)
{
	const struct rtmsg msg = {.rtm_family = AF_INET,
				  .rtm_table = RT_TABLE_MAIN,
				  .rtm_protocol = RTPROT_STATIC,
				  .rtm_scope = RT_SCOPE_UNIVERSE,
				  .rtm_type = RTN_UNICAST};
	_cleanup_nl_sock_ struct nl_sock *sk = NULL;
	_cleanup_nl_msg_ struct nl_msg *m =
		netlink_new(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &msg, sizeof(msg));
	const uint32_t gw = __builtin_bswap32(gateway);

	netlink_attr(m, RTA_GATEWAY, &gw, 4);
	netlink_attr_u32(m, RTA_OIF, if_nametoindex(dev));
	assert_int_equal(netlink_open(&sk, NULL), 0);
	assert_int_equal(netlink_ask(sk, m), 0);
}

static const struct net_link *look(struct host *h, const char *name)
{
	_cleanup_err_ struct err e = {0};

	arena_free(h->arena);
	h->arena = arena_new();
	if (net_read(h->arena, &h->net, &e) < 0)
		fail_msg("%s", e.message);
	return net_find(&h->net, name);
}

static void set_addresses(const char *name, const char *one, const char *two)
{
	const char *items[] = {one, two};
	struct list l = {.items = (void **)items, .n = !!one + !!two};
	_cleanup_err_ struct err e = {0};

	if (net_addresses_set(name, &l, &e) < 0)
		fail_msg("%s", e.message);
}

static bool carries(const struct net_link *l, const char *cidr)
{
	for (size_t i = 0; i < l->addresses.n; i++)
		if (streq(((const struct net_address *)l->addresses.items[i])->cidr, cidr))
			return true;
	return false;
}

static size_t statics(const struct net_link *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->addresses.n; i++)
		n += ((const struct net_address *)l->addresses.items[i])->origin == NET_STATIC;
	return n;
}

static int setup(void **state)
{
	static struct host h;

	sweep();
	h = (struct host){0};
	*state = &h;
	return 0;
}

static int teardown(void **state)
{
	struct host *h = *state;

	if (h) {
		arena_free(h->arena);
		h->arena = NULL;
	}
	return 0;
}

static void an_empty_namespace_has_no_links(void **state)
{
	struct host *h = *state;

	look(h, "x");
	assert_int_equal(h->net.links.n, 0); /* the loopback isn't one */
}

static void a_bridge_is_made_marked_renamed_and_comes_up(void **state)
{
	const struct net_link *l;

	assert_int_equal(net_bridge_add("mnr-1", "00:16:3e:01:02:03", false, NULL), 0);
	l = look(*state, "mnr-1");
	assert_non_null(l);
	assert_string_equal(l->kind, "bridge");
	assert_string_equal(l->mac, "00:16:3e:01:02:03");
	assert_null(l->alias);
	assert_false(l->up);
	assert_false(l->stp);

	assert_int_equal(net_link_alias("mnr-1", "manor:6d0f", NULL), 0);
	assert_int_equal(net_link_mtu("mnr-1", 9000, NULL), 0);
	assert_int_equal(net_link_rename("mnr-1", "xenbr0", NULL), 0);
	assert_int_equal(net_link_up("xenbr0", true, NULL), 0);
	assert_null(look(*state, "mnr-1"));
	l = look(*state, "xenbr0");
	assert_non_null(l);
	assert_string_equal(l->alias, "manor:6d0f");
	assert_int_equal(l->mtu, 9000);
	assert_true(l->up);

	assert_int_equal(net_link_alias("xenbr0", "", NULL), 0);
	assert_null(look(*state, "xenbr0")->alias);
	assert_int_equal(net_link_remove("xenbr0", NULL), 0);
	assert_int_equal(net_link_remove("xenbr0", NULL), 0); /* absent is fine */
	assert_null(look(*state, "xenbr0"));
}

static void stp_goes_on_and_off(void **state)
{
	assert_int_equal(net_bridge_add("b0", NULL, true, NULL), 0);
	assert_true(look(*state, "b0")->stp);
	assert_int_equal(net_bridge_stp("b0", false, NULL), 0);
	assert_false(look(*state, "b0")->stp);
	assert_int_equal(net_bridge_stp("b0", true, NULL), 0);
	assert_true(look(*state, "b0")->stp);
}

static void errors_name_the_link(void **state)
{
	static const struct {
		const char *what, *expect;
		int code;
	} cases[] = {
		{"up", "there is no link nowhere", -ENODEV},
		{"twice", "make bridge b0: File exists", -EEXIST},
		{"long", "'a-name-of-16-byt' can't be a link's name: 1 to 15 bytes", -EINVAL},
		{"mtu", "set the MTU of b0: Invalid argument", -EINVAL},
		{"loop", "bridge b0: make a port of b1: Too many levels of symbolic links", -ELOOP},
		{"taken", "to b1: rename b0: File exists", -EEXIST},
	};

	assert_int_equal(net_bridge_add("b0", NULL, false, NULL), 0);
	assert_int_equal(net_bridge_add("b1", NULL, false, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_err_ struct err e = {0};
		int r = 0;

		switch (i) {
		case 0:
			r = net_link_up("nowhere", true, &e);
			break;
		case 1:
			r = net_bridge_add("b0", NULL, false, &e);
			break;
		case 2:
			r = net_bridge_add("a-name-of-16-byt", NULL, false, &e);
			break;
		case 3:
			r = net_link_mtu("b0", 20, &e);
			break;
		case 4:
			r = net_link_master("b1", "b0", &e);
			break;
		case 5:
			r = net_link_rename("b0", "b1", &e);
			break;
		}
		assert_non_null(e.message);
		assert_string_equal(e.message, cases[i].expect);
		assert_int_equal(r, cases[i].code);
	}
}

static void a_port_joins_moves_and_leaves(void **state)
{
	const struct net_link *l;

	add_veth("v0", "p0");
	assert_int_equal(net_bridge_add("b0", NULL, false, NULL), 0);
	assert_int_equal(net_bridge_add("b1", NULL, false, NULL), 0);
	assert_int_equal(net_link_master("v0", "b0", NULL), 0);
	l = look(*state, "v0");
	assert_string_equal(l->kind, "veth");
	assert_string_equal(l->master, "b0");
	assert_int_equal(net_link_master("v0", "b0", NULL), 0); /* again */
	assert_int_equal(net_link_master("v0", "b1", NULL), 0);
	assert_string_equal(look(*state, "v0")->master, "b1");
	/* A bridge without a MAC of its own takes its port's. */
	l = look(*state, "b1");
	assert_string_equal(l->mac, net_find(&((struct host *)*state)->net, "v0")->mac);
	assert_int_equal(net_link_master("v0", NULL, NULL), 0);
	assert_null(look(*state, "v0")->master);
}

static void addresses_become_what_was_asked(void **state)
{
	const struct net_link *l;

	assert_int_equal(net_bridge_add("b0", NULL, false, NULL), 0);
	assert_int_equal(net_link_up("b0", true, NULL), 0);
	set_addresses("b0", "10.155.200.1/16", "2001:db8::1/64");
	set_addresses("b0", "10.155.200.1/16", "2001:db8::1/64"); /* again */
	l = look(*state, "b0");
	assert_true(carries(l, "10.155.200.1/16"));
	assert_true(carries(l, "2001:db8::1/64"));
	assert_int_equal(statics(l), 2);

	/* Two of one subnet, and the first goes: the other stays, whatever promote_secondaries
	 * says. */
	set_addresses("b0", "10.155.200.1/16", "10.155.200.2/16");
	set_addresses("b0", "10.155.200.2/16", NULL);
	l = look(*state, "b0");
	assert_true(carries(l, "10.155.200.2/16"));
	assert_int_equal(statics(l), 1);

	set_addresses("b0", NULL, NULL);
	assert_int_equal(statics(look(*state, "b0")), 0);
}

static void the_kernels_own_address_is_no_static_one(void **state)
{
	bool found = false;
	const struct net_link *l;

	add_veth("v0", "p0");
	assert_int_equal(net_link_up("v0", true, NULL), 0);
	assert_int_equal(net_link_up("p0", true, NULL), 0);
	set_addresses("v0", "10.1.0.1/24", NULL);
	/* The kernel takes its time over that one. */
	for (int t = 0; t < 200 && !found; t++) {
		l = look(*state, "v0");
		for (size_t i = 0; i < l->addresses.n; i++) {
			const struct net_address *a = l->addresses.items[i];

			if (!startswith(a->cidr, "fe80:"))
				continue;
			assert_int_equal(a->origin, NET_LINKLOCAL);
			found = true;
		}
		usleep(10000);
	}
	assert_true(found || access("/proc/sys/net/ipv6", F_OK) != 0);
	set_addresses("v0", NULL, NULL);
	l = look(*state, "v0");
	assert_int_equal(l->addresses.n, found); /* left alone */
}

static void the_default_route_survives_a_changed_address(void **state)
{
	add_veth("v0", "p0");
	assert_int_equal(net_link_up("v0", true, NULL), 0);
	set_addresses("v0", "10.1.0.5/24", NULL);
	assert_false(look(*state, "v0")->default_route);
	add_default_route("v0", 0x0a010001);
	assert_true(look(*state, "v0")->default_route);
	set_addresses("v0", "10.1.0.6/24", NULL);
	assert_true(look(*state, "v0")->default_route);
	set_addresses("v0", "10.2.0.6/24",
		      NULL); /* elsewhere: the route is for its owner to change */
	assert_true(look(*state, "v0")->default_route);
	set_addresses("v0", NULL, NULL); /* can't be kept, and that is no failure */
	assert_false(look(*state, "v0")->default_route);
}

static void address_and_default_route_move_to_the_bridge(void **state)
{
	const struct net_link *l;

	add_veth("v0", "p0");
	assert_int_equal(net_link_up("p0", true, NULL), 0);
	assert_int_equal(net_link_up("v0", true, NULL), 0);
	set_addresses("v0", "10.1.0.5/24", "10.9.0.1/24");
	add_default_route("v0", 0x0a010001);
	assert_int_equal(net_bridge_add("b0", NULL, false, NULL), 0);
	assert_int_equal(net_link_up("b0", true, NULL), 0);
	assert_int_equal(net_link_master("v0", "b0", NULL), 0);
	assert_int_equal(net_addresses_move("v0", "b0", NULL),
			 0); /* nothing in common: nothing done */
	assert_true(look(*state, "v0")->default_route);

	set_addresses("b0", "10.1.0.5/24", NULL);
	assert_int_equal(net_addresses_move("v0", "b0", NULL), 0);
	l = look(*state, "v0");
	assert_false(carries(l, "10.1.0.5/24"));
	assert_true(carries(l, "10.9.0.1/24")); /* the bridge doesn't carry it: not ours to take */
	assert_false(l->default_route);
	l = look(*state, "b0");
	assert_true(carries(l, "10.1.0.5/24"));
	assert_true(l->default_route);
	assert_int_equal(net_addresses_move("v0", "b0", NULL), 0); /* again */
	assert_true(look(*state, "b0")->default_route);
}

static void an_alias_of_strange_bytes_is_made_safe(void **state)
{
	add_veth("v0", "p0");
	assert_int_equal(net_link_alias("v0", "a\033[31m\xffz", NULL), 0);
	assert_string_equal(look(*state, "v0")->alias, "a?[31m?z");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(an_empty_namespace_has_no_links),
		T(a_bridge_is_made_marked_renamed_and_comes_up),
		T(stp_goes_on_and_off),
		T(errors_name_the_link),
		T(a_port_joins_moves_and_leaves),
		T(addresses_become_what_was_asked),
		T(the_kernels_own_address_is_no_static_one),
		T(the_default_route_survives_a_changed_address),
		T(address_and_default_route_move_to_the_bridge),
		T(an_alias_of_strange_bytes_is_made_safe),
	};

	/* Only root may leave the host's network, and nothing here may ever touch that. */
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("1..0 # SKIP a network namespace of its own needs root: %s\n",
		       strerror(errno));
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

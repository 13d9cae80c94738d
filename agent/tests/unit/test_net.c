/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Links, bridges and addresses against the real kernel, in a network namespace of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/netns.h"

static size_t statics(const struct net_link *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->addresses.n; i++)
		n += ((const struct net_address *)l->addresses.items[i])->origin == NET_STATIC;
	return n;
}

static int setup(void **state)
{
	netns_sweep();
	return 0;
}

static void an_empty_namespace_has_no_links(void **state)
{
	look("x");
	assert_int_equal(net.links.n, 0); /* the loopback isn't one */
}

static void a_bridge_is_made_marked_renamed_and_comes_up(void **state)
{
	const struct net_link *l;

	assert_int_equal(net_bridge_add("mnr-1", "00:16:3e:01:02:03", false, NULL), 0);
	l = look("mnr-1");
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
	assert_null(look("mnr-1"));
	l = look("xenbr0");
	assert_non_null(l);
	assert_string_equal(l->alias, "manor:6d0f");
	assert_int_equal(l->mtu, 9000);
	assert_true(l->up);

	assert_int_equal(net_link_alias("xenbr0", "", NULL), 0);
	assert_null(look("xenbr0")->alias);
	assert_int_equal(net_link_remove("xenbr0", NULL), 0);
	assert_int_equal(net_link_remove("xenbr0", NULL), 0); /* absent is fine */
	assert_null(look("xenbr0"));
}

static void stp_goes_on_and_off(void **state)
{
	assert_int_equal(net_bridge_add("b0", NULL, true, NULL), 0);
	assert_true(look("b0")->stp);
	assert_int_equal(net_bridge_stp("b0", false, NULL), 0);
	assert_false(look("b0")->stp);
	assert_int_equal(net_bridge_stp("b0", true, NULL), 0);
	assert_true(look("b0")->stp);
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
	l = look("v0");
	assert_string_equal(l->kind, "veth");
	assert_string_equal(l->master, "b0");
	assert_int_equal(net_link_master("v0", "b0", NULL), 0); /* again */
	assert_int_equal(net_link_master("v0", "b1", NULL), 0);
	assert_string_equal(look("v0")->master, "b1");
	/* A bridge without a MAC of its own takes its port's. */
	l = look("b1");
	assert_string_equal(l->mac, net_find(&net, "v0")->mac);
	assert_int_equal(net_link_master("v0", NULL, NULL), 0);
	assert_null(look("v0")->master);
}

static void addresses_become_what_was_asked(void **state)
{
	const struct net_link *l;

	assert_int_equal(net_bridge_add("b0", NULL, false, NULL), 0);
	assert_int_equal(net_link_up("b0", true, NULL), 0);
	set_addresses("b0", "10.155.200.1/16", "2001:db8::1/64");
	set_addresses("b0", "10.155.200.1/16", "2001:db8::1/64"); /* again */
	l = look("b0");
	assert_true(carries(l, "10.155.200.1/16"));
	assert_true(carries(l, "2001:db8::1/64"));
	assert_int_equal(statics(l), 2);

	/* Two of one subnet, and the first goes: the other stays, whatever promote_secondaries
	 * says. */
	set_addresses("b0", "10.155.200.1/16", "10.155.200.2/16");
	set_addresses("b0", "10.155.200.2/16", NULL);
	l = look("b0");
	assert_true(carries(l, "10.155.200.2/16"));
	assert_int_equal(statics(l), 1);

	set_addresses("b0", NULL, NULL);
	assert_int_equal(statics(look("b0")), 0);
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
		l = look("v0");
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
	l = look("v0");
	assert_int_equal(l->addresses.n, found); /* left alone */
}

static void a_link_upon_another_says_so_and_a_pair_does_not(void **state)
{
	char name[] = "v0";
	void *names[] = {name};
	const struct list ends = {.items = names, .n = 1};

	add_veth("v0", "v1");
	assert_null(look("v0")->lower);
	assert_null(look("v1")->lower);
	add_macvlan("m0", "v0");
	assert_string_equal(look("m0")->lower, "v0");
	assert_true(net_stands_on(&net, look("m0"), &ends));
	assert_true(net_stands_on(&net, look("v0"), &ends));
	assert_false(net_stands_on(&net, look("v1"), &ends));
}

static void the_default_route_survives_a_changed_address(void **state)
{
	add_veth("v0", "p0");
	assert_int_equal(net_link_up("v0", true, NULL), 0);
	set_addresses("v0", "10.1.0.5/24", NULL);
	assert_false(look("v0")->default_route);
	add_default_route("v0", 0x0a010001);
	assert_true(look("v0")->default_route);
	set_addresses("v0", "10.1.0.6/24", NULL);
	assert_true(look("v0")->default_route);
	set_addresses("v0", "10.2.0.6/24",
		      NULL); /* elsewhere: the route is for its owner to change */
	assert_true(look("v0")->default_route);
	set_addresses("v0", NULL, NULL); /* can't be kept, and that is no failure */
	assert_false(look("v0")->default_route);
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
	assert_true(look("v0")->default_route);

	set_addresses("b0", "10.1.0.5/24", NULL);
	assert_int_equal(net_addresses_move("v0", "b0", NULL), 0);
	l = look("v0");
	assert_false(carries(l, "10.1.0.5/24"));
	assert_true(carries(l, "10.9.0.1/24")); /* the bridge doesn't carry it: not ours to take */
	assert_false(l->default_route);
	l = look("b0");
	assert_true(carries(l, "10.1.0.5/24"));
	assert_true(l->default_route);
	assert_int_equal(net_addresses_move("v0", "b0", NULL), 0); /* again */
	assert_true(look("b0")->default_route);
}

static void an_alias_of_strange_bytes_is_made_safe(void **state)
{
	add_veth("v0", "p0");
	assert_int_equal(net_link_alias("v0", "a\033[31m\xffz", NULL), 0);
	assert_string_equal(look("v0")->alias, "a?[31m?z");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup(f, setup)
		T(an_empty_namespace_has_no_links),
		T(a_bridge_is_made_marked_renamed_and_comes_up),
		T(stp_goes_on_and_off),
		T(errors_name_the_link),
		T(a_port_joins_moves_and_leaves),
		T(addresses_become_what_was_asked),
		T(the_kernels_own_address_is_no_static_one),
		T(a_link_upon_another_says_so_and_a_pair_does_not),
		T(the_default_route_survives_a_changed_address),
		T(address_and_default_route_move_to_the_bridge),
		T(an_alias_of_strange_bytes_is_made_safe),
	};

	if (!netns_enter())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

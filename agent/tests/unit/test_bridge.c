/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Links and bridges the whole way, from the manifest to the real kernel, in a network namespace of
 * the test's own: what is applied is there, a second plan is empty, and a kill at any moment is
 * answered by applying again. And what a manifest must not say of them.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "engine/perform.h"
#include "engine/planner.h"
#include "engine/run.h"
#include "kinds/kinds.h"
#include "kinds/net_facts.h"
#include "tests/unit/netns.h"

#define HEAD "manor: 1\nnamespace: lab.example.org\n"

static const struct kind *const kinds[] = {&kind_link, &kind_bridge, NULL};
static const struct reader *const readers[] = {&reader_net, NULL};

/* What apply does, in this process. Returns how many steps were done; *ret_held those that were
 * not. */
static size_t apply(const char *text, size_t *ret_held, bool may_fail)
{
	_cleanup_diags_ struct diags *d = diags_new();
	_cleanup_facts_ struct facts *f = perform_read(readers, NULL, NULL, NULL);
	_cleanup_plan_ struct plan *p = NULL;
	const struct manifest *m =
		manifest_load_text("t.yaml", "/", text, strlen(text), NULL, NULL, kinds, d);
	struct run run;
	size_t i, done = 0;

	if (!m)
		diags_print(d, stderr, false);
	assert_non_null(m);
	p = plan_make(m, f, &(struct plan_options){.allowed = IMPACT_LIVE});
	run_init(&run, p, 1);
	while ((i = run_pick(&run)) != SIZE_MAX) {
		_cleanup_err_ struct err e = {0};
		json_object *request = perform_request(p, i, m);
		int r = perform_step(request, kinds, readers, NULL, NULL, NULL, &e);

		json_object_put(request);
		run_finish(&run, i, r);
		if (r < 0 && !may_fail)
			fail_msg("%s: %s", p->steps[i].id, e.message);
		done++;
	}
	if (ret_held)
		*ret_held = run_count(&run, RUN_HELD);
	run_done(&run);
	return done;
}

static void converge(const char *text)
{
	size_t held;

	apply(text, &held, false);
	assert_int_equal(held, 0);
	assert_int_equal(apply(text, &held, false), 0);
	assert_int_equal(held, 0);
}

static int setup(void **state)
{
	netns_sweep();
	add_veth("eth0", "peer0");
	add_veth("eth1", "peer1");
	net_link_up("eth0", true, NULL);
	net_link_up("peer0", true, NULL);
	return 0;
}

static void a_bridge_takes_the_uplink_and_its_address(void **state)
{
	const struct net_link *l;

	set_addresses("eth0", "192.0.2.10/24", NULL);
	add_default_route("eth0", 0xc0000201);
	converge(
		HEAD
		"links:\n"
		"  uplink: {match: {name: eth0}}\n"
		"bridges:\n"
		"  xenbr0: {ports: [uplink], mtu: 1400, addresses: [192.0.2.10/24, 2001:db8::1/64]}\n"
		"  xenbr1: {addresses: [10.155.200.1/16]}\n");
	l = look("eth0");
	assert_string_equal(l->master, "xenbr0");
	assert_false(l->default_route);
	l = net_find(&net, "xenbr0");
	assert_true(l->up);
	assert_true(l->default_route);
	assert_false(l->stp);
	assert_int_equal(l->mtu, 1400);
	assert_true(startswith(l->alias, NET_MARK));
	assert_true(carries(look("xenbr0"), "192.0.2.10/24"));
	assert_true(carries(look("xenbr0"), "2001:db8::1/64"));
	assert_false(carries(look("eth0"), "192.0.2.10/24"));
	assert_true(carries(look("xenbr1"), "10.155.200.1/16"));
}

static void an_address_that_nobody_declared_is_not_taken_out_of_use(void **state)
{
	size_t held;

	set_addresses("eth0", "192.0.2.10/24", NULL);
	assert_int_equal(apply(HEAD "links: {uplink: {match: {name: eth0}}}\n"
				    "bridges: {xenbr0: {ports: [uplink]}}\n",
			       &held, false),
			 0);
	assert_int_equal(held, 1);
	assert_null(look("xenbr0"));
	assert_null(look("eth0")->master);
	assert_true(carries(look("eth0"), "192.0.2.10/24"));
}

static void changes_are_live(void **state)
{
	int64_t one, two;

	converge(HEAD
		 "links: {a: {match: {name: eth0}}, b: {match: {name: eth1}}}\n"
		 "bridges: {x0: {ports: [a], addresses: [10.1.0.1/24, 10.1.0.2/24]}, x1: {}}\n");
	one = look("x0")->ifindex;
	two = look("x1")->ifindex;
	/* A guest's port (a tap is one too), and one that somebody else put there. */
	add_veth("veth9", "veth8");
	net_link_master("veth9", "x0", NULL);
	converge(
		HEAD
		"links: {a: {match: {name: eth0}, mtu: 9000}, b: {match: {name: eth1}, up: true}}\n"
		"bridges:\n"
		"  x0: {mtu: 1300, addresses: [10.1.0.2/24], stp: true}\n"
		"  x1: {ports: [b, a], addresses: [10.2.0.1/24]}\n");
	assert_int_equal(look("x0")->ifindex, one);
	assert_int_equal(look("x1")->ifindex, two);
	assert_string_equal(look("eth0")->master, "x1");
	assert_int_equal(look("eth0")->mtu, 9000);
	assert_string_equal(look("eth1")->master, "x1");
	assert_string_equal(look("veth9")->master, "x0");
	assert_int_equal(look("x0")->mtu, 1300);
	assert_true(look("x0")->stp);
	assert_false(carries(look("x0"), "10.1.0.1/24"));
	assert_true(carries(look("x0"), "10.1.0.2/24"));
	assert_true(carries(look("x1"), "10.2.0.1/24"));
}

static void what_leaves_the_manifest_goes_but_no_link(void **state)
{
	size_t held;

	assert_int_equal(net_bridge_add("docker0", NULL, false, NULL), 0);
	converge(HEAD "links: {a: {match: {name: eth0}}}\n"
		      "bridges: {x0: {ports: [a]}, x1: {}, x2: {}}\n");
	assert_true(startswith(look("eth0")->alias, NET_MARK));
	add_veth("veth9", "veth8");
	net_link_master("veth9", "x1", NULL);
	apply(HEAD "bridges: {x2: {}}\n", &held, false);
	assert_int_equal(held, 1);
	assert_null(look("x0"));
	assert_non_null(look("x1")); /* foreign port */
	assert_non_null(look("x2"));
	assert_non_null(look("docker0"));
	assert_null(look("eth0")->alias);
	assert_null(look("eth0")->master);
	net_link_master("veth9", NULL, NULL);
	converge(HEAD "bridges: {x2: {}}\n");
	assert_null(look("x1"));
}

static void a_name_that_is_taken_is_left_to_its_owner(void **state)
{
	size_t held;

	assert_int_equal(net_bridge_add("x0", NULL, false, NULL), 0);
	apply(HEAD "bridges: {x0: {mtu: 1400}, x1: {}}\n", &held, false);
	assert_int_equal(held, 1);
	assert_int_equal(look("x0")->mtu, 1500);
	assert_null(look("x0")->alias);
	assert_non_null(look("x1"));
}

#define KILLS 24

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void a_kill_at_any_moment_is_answered_by_applying_again(void **state)
{
	static const char *const texts[] = {
		HEAD "links: {a: {match: {name: eth0}}, b: {match: {name: eth1}}}\n"
		     "bridges:\n"
		     "  x0: {ports: [a], mtu: 1400, addresses: [192.0.2.10/24]}\n"
		     "  x1: {ports: [b], addresses: [10.1.0.1/24]}\n"
		     "  x2: {addresses: [10.2.0.1/24]}\n",
		HEAD "links: {a: {match: {name: eth0}}, b: {match: {name: eth1}}}\n"
		     "bridges:\n"
		     "  x0: {ports: [b, a], addresses: [192.0.2.10/24]}\n"
		     "  x3: {mtu: 1300}\n",
	};

	int64_t took = 0;
	int killed = 0;

	set_addresses("eth0", "192.0.2.10/24", NULL);
	add_default_route("eth0", 0xc0000201);
	converge(texts[0]);
	for (int i = 0; killed < KILLS && i < 4 * KILLS; i++) {
		const char *text = texts[(i + 1) % 2];
		const struct timespec nap = {.tv_nsec = took * (i % KILLS) / KILLS};
		int64_t start = now_ns();
		int status;
		pid_t pid;

		/* The first may end by itself: that is how long one takes. */
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			apply(text, NULL, true);
			_exit(0);
		}
		if (i > 0) {
			nanosleep(&nap, NULL);
			kill(pid, SIGKILL);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (i == 0)
			took = MIN_OF(now_ns() - start, 900000000);
		/* How long one takes changes with what else the machine does. */
		if (i > 0)
			took = WIFSIGNALED(status) ? MIN_OF(took + took / 8, 900000000)
						   : took - took / 4;
		killed += WIFSIGNALED(status);
		converge(text);
		assert_true(look("x0")->default_route);
		assert_true(carries(look("x0"), "192.0.2.10/24"));
		assert_string_equal(look("eth0")->master, "x0");
		for (size_t k = 0; k < net.links.n; k++)
			assert_false(startswith(((struct net_link *)net.links.items[k])->name,
						NET_TEMP));
	}
	assert_true(killed > KILLS / 4); /* else nothing was tested */
}

/* The one change that can cut the host off. */
static void the_default_route_survives_a_kill_while_it_moves(void **state)
{
	static const char text[] = HEAD "links: {a: {match: {name: eth0}}}\n"
					"bridges: {x0: {ports: [a], addresses: [192.0.2.10/24]}}\n";

	for (int i = 0; i < KILLS; i++) {
		const struct timespec nap = {.tv_nsec = i * 500000l};
		pid_t pid;

		setup(state);
		set_addresses("eth0", "192.0.2.10/24", NULL);
		add_default_route("eth0", 0xc0000201);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			apply(text, NULL, true);
			_exit(0);
		}
		nanosleep(&nap, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		look("");
		assert_true((net_find(&net, "eth0") && net_find(&net, "eth0")->default_route) ||
			    (net_find(&net, "x0") && net_find(&net, "x0")->default_route));
		converge(text);
		assert_true(look("x0")->default_route);
		assert_true(carries(look("x0"), "192.0.2.10/24"));
		assert_false(carries(look("eth0"), "192.0.2.10/24"));
	}
}

static void what_a_manifest_must_not_say(void **state)
{
	static const struct {
		const char *text, *code;
		unsigned line, column;
	} cases[] = {
		{"bridges: {a-bridge-of-16-b: {}}\n", "name-too-long", 3, 11},
		{"bridges: {mnr-a: {}}\n", "reserved-name", 3, 11},
		{"bridges: {all: {}}\n", "reserved-name", 3, 11},
		{"bridges: {x: {mtu: 67}}\n", NULL, 3, 20},
		{"bridges: {x: {mtu: 65536}}\n", NULL, 3, 20},
		{"bridges: {x: {addresses: [10.0.0.1/8, 10.0.0.1/8]}}\n", "duplicate-item", 3, 39},
		{"bridges: {x: {addresses: [\"fe80::1/64\"]}}\n", "link-local", 3, 27},
		{"bridges: {x: {addresses: [10.0.0.1]}}\n", NULL, 3, 27},
		{"bridges: {x: {ports: [y]}}\n", "unknown-reference", 3, 23},
		{"links: {l: {match: {name: e}}}\nbridges: {x: {ports: [l, l]}}\n",
		 "duplicate-item", 4, 26},
		{"links: {l: {match: {name: e}}}\nbridges: {x: {ports: [l]}, y: {ports: [l]}}\n",
		 "port-in-two-bridges", 4, 40},
		{"bridges: {x: {addresses: [10.0.0.1/8]}, y: {addresses: [10.0.0.1/24]}}\n",
		 "duplicate-address", 3, 57},
		{"bridges: {x: {addresses: [10.0.0.1/8]}, y: {addresses: [10.9.0.1/24]}}\n",
		 "overlapping-subnets", 3, 57},
		{"bridges: {x: {addresses: [\"2001:db8::1/61\"]}, y: {addresses: [\"2001:db8:0:7::1/64\"]}}\n",
		 "overlapping-subnets", 3, 63},
		{"links: {l: {match: {}}}\n", "match-empty", 3, 13},
		{"links: {l: {mtu: 1500}}\n", "missing-key", 3, 9},
		{"links: {l: {match: {mac: \"1:2\"}}}\n", NULL, 3, 26},
		{"links: {l: {match: {name: e}}, m: {match: {name: e}}}\n", "same-match", 3, 50},
		{"links: {l: {match: {name: e}, up: false}}\nbridges: {x: {ports: [l]}}\n",
		 "port-down", 4, 23},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_diags_ struct diags *d = diags_new();
		_cleanup_(freep) char *text = xasprintf(HEAD "%s", cases[i].text);

		assert_null(manifest_load_text("t.yaml", "/", text, strlen(text), NULL, NULL, kinds,
					       d));
		if (d->n != 1 || d->list[0].span.line != cases[i].line ||
		    d->list[0].span.column != cases[i].column ||
		    (cases[i].code && !streq(d->list[0].code, cases[i].code))) {
			diags_print(d, stderr, false);
			fail_msg("%s: %s at %u:%u", cases[i].text,
				 d->n ? d->list[0].code : "nothing",
				 d->n ? d->list[0].span.line : 0,
				 d->n ? d->list[0].span.column : 0);
		}
	}
}

static void neighbours_that_do_not_overlap_are_fine(void **state)
{
	static const char text[] =
		HEAD "bridges:\n"
		     "  x: {addresses: [10.0.0.1/24, 10.0.1.1/24, \"2001:db8::1/64\"]}\n"
		     "  y: {addresses: [10.0.2.1/23, \"2001:db8:0:1::1/64\"], dhcp4: false}\n";
	_cleanup_diags_ struct diags *d = diags_new();

	assert_non_null(
		manifest_load_text("t.yaml", "/", text, strlen(text), NULL, NULL, kinds, d));
	assert_int_equal(d->n, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup(f, setup)
		T(a_bridge_takes_the_uplink_and_its_address),
		T(an_address_that_nobody_declared_is_not_taken_out_of_use),
		T(changes_are_live),
		T(what_leaves_the_manifest_goes_but_no_link),
		T(a_name_that_is_taken_is_left_to_its_owner),
		T(a_kill_at_any_moment_is_answered_by_applying_again),
		T(the_default_route_survives_a_kill_while_it_moves),
		cmocka_unit_test(what_a_manifest_must_not_say),
		cmocka_unit_test(neighbours_that_do_not_overlap_are_fine),
	};

	if (!netns_enter())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Domains: what a manifest may not say of them, what follows from what it says, how long a crashed
 * one waits, and what its digest is of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "model/record_json.h"

#define SHA "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* Its lines are 1 to 8: a case's text begins in line 9. */
#define HEAD                                                                                       \
	"manor: 1\n"                                                                                \
	"namespace: lab.example.org\n"                                                              \
	"bridges: {br0: {}}\n"                                                                      \
	"storage: {vg0: {devices: [{serial: A}]}}\n"                                                \
	"volumes: {v: {storage: vg0, size: 1GiB}}\n"                                                \
	"templates:\n"                                                                              \
	"  t: {files: {root: {url: 'http://a/r', sha256: " SHA "}}, storage: vg0}\n"                \
	"domains:\n"

#define OK "memory: 64MiB, kernel: /k"

static struct manifest *load(const char *domains, struct diags *d)
{
	_cleanup_(freep) char *text = xasprintf(HEAD "%s", domains);

	return manifest_load_text("t.yaml", "/etc/manor", text, strlen(text), NULL, NULL, all_kinds,
				  d);
}

/* Line and column of the last `word` in the text; these manifests are ASCII. */
static void place(const char *text, const char *word, unsigned *line, unsigned *column)
{
	const char *at = NULL;

	for (const char *p = text; (p = strstr(p, word)); p++)
		at = p;
	assert_non_null(at);
	*line = *column = 1;
	for (const char *p = text; p < at; p++) {
		*column = *p == '\n' ? 1 : *column + 1;
		*line += *p == '\n';
	}
}

static void what_cannot_be_is_said_where_it_stands(void **state)
{
	static const struct {
		const char *domains, *code, *where;
	} cases[] = {
		{"  a: {memory: 64MiB}\n", "missing-key", "a: {memory"},
		{"  a: {kernel: /k, memory: 8MiB}\n", "out-of-range", "8MiB"},
		{"  a: {" OK ", maxmem: 32MiB}\n", "out-of-range", "32MiB"},
		{"  a: {" OK ", vcpus: 2, maxvcpus: 1}\n", "out-of-range", "1}"},
		{"  a: {memory: 64MiB, type: hvm}\n", "bad-combination", "hvm"},
		{"  a: {" OK ", firmware: ovmf}\n", "bad-combination", "ovmf"},
		{"  a: {" OK ", vtpm: true}\n", "not-supported", "vtpm"},
		{"  a: {" OK ", nics: {n: {bridge: br0, model: e1000}}}\n", "bad-combination", "e1000"},
		{"  a: {" OK ", disks: {d: {vdev: xvda}}}\n", "missing-key", "d: {vdev"},
		{"  a: {" OK ", disks: {d: {vdev: xvda, from: root}}}\n", "unknown-file", "root}"},
		{"  a: {" OK ", template: t, disks: {d: {vdev: xvda, from: rot}}}\n", "unknown-file",
		 "rot}"},
		{"  a: {" OK ", disks: {d: {vdev: xvda, volume: v, size: 2GiB}}}\n",
		 "conflicting-keys", "2GiB"},
		{"  a: {" OK ", template: t, disks: {d: {vdev: xvda, volume: v},\n"
		 "    e: {vdev: xvda, from: root}}}\n",
		 "duplicate-vdev", "xvda, from"},
		{"  a: {" OK ", nics: {n: {bridge: br0, mac: '00:16:3e:00:00:01'}}}\n"
		 "  b: {" OK ", nics: {n: {bridge: br0, mac: '00:16:3E:00:00:01'}}}\n",
		 "duplicate-mac", "'00:16:3E"},
		{"  a: {" OK ", disks: {d: {vdev: xvda, volume: v, read_only: true}}}\n"
		 "  b: {" OK ", disks: {d: {vdev: xvda, volume: v}}}\n",
		 "shared-volume", "v}"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(freep) char *text = xasprintf(HEAD "%s", cases[i].domains);
		_cleanup_diags_ struct diags *d = diags_new();
		struct manifest *m = load(cases[i].domains, d);
		unsigned line, column;

		print_message("  %s", cases[i].domains);
		diags_sort(d);
		diags_print(d, stdout, false);
		assert_null(m);
		assert_int_equal(d->n_errors, 1);
		assert_string_equal(d->list[0].code, cases[i].code);
		place(text, cases[i].where, &line, &column);
		assert_int_equal(d->list[0].span.line, line);
		assert_int_equal(d->list[0].span.column, column);
	}
}

static void a_screen_for_everybody_is_warned_of(void **state)
{
	static const struct {
		const char *vnc;
		size_t warnings;
	} cases[] = {
		{"{enabled: true}", 0},
		{"{enabled: true, address: 127.0.0.1}", 0},
		{"{enabled: true, address: '::1'}", 0},
		{"{enabled: true, address: 0.0.0.0}", 1},
		{"{enabled: true, address: '::'}", 1},
		{"{enabled: true, address: 0.0.0.0, password: abc}", 0},
		{"{enabled: false, address: 0.0.0.0}", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(freep) char *text = xasprintf("  a: {" OK ", vnc: %s}\n", cases[i].vnc);
		_cleanup_diags_ struct diags *d = diags_new();

		print_message("  %s", text);
		assert_non_null(load(text, d));
		assert_int_equal(d->n, cases[i].warnings);
		if (d->n)
			assert_string_equal(d->list[0].code, "open-screen");
	}
}

static void what_may_be_is_taken(void **state)
{
	static const char *const cases[] = {
		"  a: {" OK "}\n",
		"  a: {" OK ", maxmem: 64MiB, vcpus: 2, maxvcpus: 2}\n",
		"  a: {" OK ", template: t, disks: {d: {vdev: xvda, from: root, size: 1GiB}}}\n",
		/* Read by two, written by none. */
		"  a: {" OK ", disks: {d: {vdev: xvda, volume: v, read_only: true}}}\n"
		"  b: {" OK ", disks: {d: {vdev: xvda, volume: v, read_only: true}}}\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_diags_ struct diags *d = diags_new();
		struct manifest *m = load(cases[i], d);

		print_message("  %s", cases[i]);
		diags_print(d, stdout, false);
		assert_non_null(m);
	}
}

static void what_follows_is_filled_in(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct manifest *m = load("  a:\n    template: t\n    memory: 64MiB\n    kernel: boot/k\n"
				  "    disks: {root: {vdev: xvda, from: root}, v: {vdev: xvdb, "
				  "volume: v}}\n    nics: {lan: {bridge: br0}}\n",
				  d);
	const struct domain *a;
	char mac[MAC_TEXT];

	assert_non_null(m);
	a = manifest_find(m, "domain", "a")->record;
	assert_string_equal(a->kernel_path, "/etc/manor/boot/k");
	assert_string_equal(a->initrd_path, "none");
	assert_string_equal(a->cmdline, "");
	assert_string_equal(((struct domain_disk *)map_get(&a->disks, "root"))->target,
			    "/dev/vg0/a.root");
	assert_string_equal(((struct domain_disk *)map_get(&a->disks, "v"))->target, "/dev/vg0/v");
	ident_mac("lab.example.org", "a", "lan", mac);
	assert_string_equal(((struct domain_nic *)map_get(&a->nics, "lan"))->mac, mac);
	assert_non_null(manifest_find(m, "volume", "a.root"));
}

static const char *said(const char *domains, struct diags *d)
{
	struct manifest *m = load(domains, d);
	const struct domain *a;

	assert_non_null(m);
	a = manifest_find(m, "domain", "a")->record;
	assert_non_null(a->said);
	return a->said;
}

static void the_digest_of_a_domain_is_of_what_its_manifest_says(void **state)
{
	static const struct {
		const char *story, *domain;
		bool same;
	} cases[] = {
		{"word for word", "{" OK ", template: t}", true},
		{"another order, another spelling", "{template: t, kernel: /k, memory: 65536KiB}", true},
		{"a default said is said", "{" OK ", template: t, vcpus: 1}", false},
		{"a NIC", "{" OK ", template: t, nics: {lan: {bridge: br0}}}", false},
	};
	_cleanup_diags_ struct diags *d = diags_new();
	const char *plain = said("  a: {" OK ", template: t}\n", d);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(freep) char *text = xasprintf("  a: %s\n", cases[i].domain);

		if (streq(said(text, d), plain) != cases[i].same)
			fail_msg("%s", cases[i].story);
	}
}

static void what_a_newer_version_adds_is_not_said(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct manifest *m = load("  a: {" OK ", template: t}\n", d);
	struct domain *a;
	_cleanup_json_ json_object *o = NULL;

	(void)state;
	assert_non_null(m);
	a = manifest_find(m, "domain", "a")->record;
	o = record_given_to_json(&domain_table, a);
	/* Defaults, derived things and what Manor fills in itself. */
	assert_null(json_object_object_get(o, "vcpus"));
	assert_null(json_object_object_get(o, "kernel_path"));
	assert_null(json_object_object_get(o, "said"));
	assert_non_null(json_object_object_get(o, "memory"));
}

static void crashes_count_while_they_follow_soon(void **state)
{
	static const struct {
		const char *story;
		int64_t now, started, crashes, counts;
	} cases[] = {
		{"again after a minute", 1060, 1000, 4, 4},
		{"after ten minutes of running", 1600, 1000, 4, 0},
		{"no start is known", 1060, 0, 4, 0},
		{"the clock was set back since", 900, 1000, 4, 0},
		{"more often than a shift can bear", 1060, 1000, 1000000, 62},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct facts f = {.time = cases[i].now};
		struct intent_domain intent = {.crashes = cases[i].crashes};
		struct xen_domain x = {.started = cases[i].started};

		print_message("  %s\n", cases[i].story);
		assert_int_equal(domain_crashes(&f, &intent, &x), cases[i].counts);
		assert_int_equal(domain_crashes(&f, NULL, &x), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_is_said_where_it_stands),
		cmocka_unit_test(a_screen_for_everybody_is_warned_of),
		cmocka_unit_test(what_may_be_is_taken),
		cmocka_unit_test(what_follows_is_filled_in),
		cmocka_unit_test(the_digest_of_a_domain_is_of_what_its_manifest_says),
		cmocka_unit_test(what_a_newer_version_adds_is_not_said),
		cmocka_unit_test(crashes_count_while_they_follow_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

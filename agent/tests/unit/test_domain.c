/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Domains: what a manifest may not say of them, what follows from what it says, how long a crashed
 * one waits, and that a worker reckons the same digest as the plan.
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

	return manifest_load_text("t.yaml", "/etc/manor", text, strlen(text), NULL, all_kinds, d);
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

static void a_worker_reckons_the_same_digest(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct manifest *m = load("  a: {" OK ", template: t, cmdline: 'x=\"1\" é', disks: {root: "
				  "{vdev: xvda, from: root}}, nics: {lan: {bridge: br0}}}\n",
				  d);
	_cleanup_arena_ struct arena *arena = arena_new();
	struct domain other = {0};
	char there[SHA256_TEXT], here[SHA256_TEXT];
	json_object *o;

	assert_non_null(m);
	o = record_to_json(&domain_table, manifest_find(m, "domain", "a")->record, true);
	assert_int_equal(record_from_json(arena, &domain_table, o, &other, NULL), 0);
	json_object_put(o);
	domain_digest(manifest_find(m, "domain", "a")->record, here);
	domain_digest(&other, there);
	assert_string_equal(here, there);
	other.memory += 1 << 20;
	domain_digest(&other, there);
	assert_string_not_equal(here, there);
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
		cmocka_unit_test(what_may_be_is_taken),
		cmocka_unit_test(what_follows_is_filled_in),
		cmocka_unit_test(a_worker_reckons_the_same_digest),
		cmocka_unit_test(crashes_count_while_they_follow_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

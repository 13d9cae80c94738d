/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Templates in a manifest: what each imports and where, and what is said of one that can't be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "kinds/kinds.h"
#include "kinds/template.h"

#define A64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define B64 "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"

/* Two storages, and what a case adds: its first line is line 6. */
#define HEAD                                                                                       \
	"manor: 1\n"                                                                                \
	"namespace: lab.example.org\n"                                                              \
	"storage:\n"                                                                                \
	"  vg0: {devices: [{serial: A}]}\n"                                                         \
	"  vg1: {devices: [{serial: B}]}\n"

#define FILES                                                                                      \
	"    files:\n"                                                                              \
	"      root: {url: 'https://images.example.org/t.img', sha256: " A64 "}\n"                  \
	"      kernel: {url: 'https://images.example.org/vmlinuz', sha256: " B64 "}\n"

#define DOMAIN                                                                                     \
	"    domain: {memory: 128MiB, kernel: kernel, disks: {root: {vdev: xvda, from: root}}}\n"

static void what_is_imported_follows_from_who_asks(void **state)
{
	static const struct {
		const char *story, *text, *imports;
	} cases[] = {
		{"nobody asks", "templates:\n  t:\n" FILES DOMAIN, ""},
		{"its own storage asks", "templates:\n  t:\n" FILES DOMAIN "    storage: vg0\n",
		 "root@vg0 kernel@cache "},
		{"a disk's own storage is asked before",
		 "templates:\n  t:\n" FILES
		 "    domain: {memory: 128MiB, disks: {root: {vdev: xvda, from: root, storage: vg1}}}\n"
		 "    storage: vg0\n",
		 "root@vg1 "},
		{"a template of files alone", "templates:\n  t:\n" FILES "    storage: vg1\n",
		 "root@vg1 kernel@cache "},
		{"two domains in two storages",
		 "templates:\n  t:\n" FILES DOMAIN "domains:\n"
		 "  a: {template: t, type: pvh, disks: {root: {storage: vg0}}}\n"
		 "  b: {template: t, type: pvh, disks: {root: {storage: vg1}}}\n"
		 "  c: {template: t, type: pvh, disks: {root: {storage: vg1}}}\n",
		 "kernel@cache root@vg0 root@vg1 "},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(freep) char *text = xasprintf(HEAD "%s", cases[i].text);
		struct diags *d = diags_new();
		_cleanup_manifest_ struct manifest *m =
			manifest_load_text("t.yaml", ".", text, strlen(text), NULL, all_kinds, d);
		_cleanup_str_ struct str is = {0};
		const struct template *t;

		print_message("  %s\n", cases[i].story);
		diags_print(d, stdout, false);
		assert_non_null(m);
		t = manifest_find(m, "template", "t")->record;
		for (size_t j = 0; j < t->imports.n; j++) {
			const struct template_import *import = t->imports.entries[j].value;

			str_addf(&is, "%s ", t->imports.entries[j].name);
			if (import->storage)
				assert_string_equal(import->lv, streq(import->sha256, A64)
									? "base.0011223344556677"
									: "base.ffeeddccbbaa9988");
			else
				assert_string_equal(import->path, "/var/lib/manor/cache/" B64);
		}
		assert_string_equal(str_get(&is), cases[i].imports);
	}
}

static void what_cannot_be_is_said_at_its_place(void **state)
{
	static const struct {
		const char *story, *text, *code;
		unsigned line;
		size_t n; /* errors */
	} cases[] = {
		{"no digest", "templates:\n  t:\n    files:\n      root: {url: /srv/t.img}\n",
		 "missing-digest", 9, 1},
		{"no digest, and a domain that wants the file: said once",
		 "templates:\n  t:\n    files:\n      root: {url: /srv/t.img}\n"
		 "    domain: {type: pvh, memory: 128MiB, kernel: /boot/vmlinuz,\n"
		 "             disks: {root: {vdev: xvda, from: root, storage: vg0}}}\n"
		 "domains: {a: {template: t}}\n",
		 "missing-digest", 9, 1},
		{"a file that isn't there, in a template that nobody uses",
		 "templates:\n  t:\n" FILES
		 "    domain: {memory: 128MiB, disks: {root: {vdev: xvda, from: rot}}}\n",
		 "unknown-file", 11, 1},
		{"a storage that isn't there", "templates:\n  t:\n" FILES "    storage: vg7\n",
		 "unknown-reference", 11, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(freep) char *text = xasprintf(HEAD "%s", cases[i].text);
		_cleanup_diags_ struct diags *d = diags_new();

		print_message("  %s\n", cases[i].story);
		assert_null(
			manifest_load_text("t.yaml", ".", text, strlen(text), NULL, all_kinds, d));
		diags_sort(d);
		diags_print(d, stdout, false);
		assert_int_equal(d->n_errors, cases[i].n);
		assert_string_equal(d->list[0].code, cases[i].code);
		assert_int_equal(d->list[0].span.line, cases[i].line);
	}
}

static void a_shared_file_is_imported_once(void **state)
{
	static const char text[] = HEAD "templates:\n  one:\n" FILES "    storage: vg0\n"
					"  two:\n" FILES "    storage: vg0\n";
	struct diags *d = diags_new();
	_cleanup_manifest_ struct manifest *m =
		manifest_load_text("t.yaml", ".", text, sizeof(text) - 1, NULL, all_kinds, d);
	const struct resource *one, *two;
	bool waits = false;

	assert_non_null(m);
	one = manifest_find(m, "template", "one");
	two = manifest_find(m, "template", "two");
	for (size_t i = 0; i < two->n_needs; i++)
		waits |= two->needs[i] == one;
	assert_true(waits);
	for (size_t i = 0; i < one->n_needs; i++)
		assert_ptr_not_equal(one->needs[i], two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_imported_follows_from_who_asks),
		cmocka_unit_test(what_cannot_be_is_said_at_its_place),
		cmocka_unit_test(a_shared_file_is_imported_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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
		_cleanup_manifest_ struct manifest *m = manifest_load_text(
			"t.yaml", ".", text, strlen(text), NULL, NULL, all_kinds, d);
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
		{"two digests",
		 "templates:\n  t:\n    files:\n      root: {url: /srv/t.img, sha256: " A64
		 ", sha512: " A64 B64 "}\n",
		 "contradiction", 9, 1},
		{"a sha512 too short",
		 "templates:\n  t:\n    files:\n      root: {url: /srv/t.img, sha512: " A64 "}\n",
		 "bad-value", 9, 1},
		{"a member of what is no archive",
		 "templates:\n  t:\n    files:\n      root: {url: /srv/t.tar, sha256: " A64
		 ", member: root.img, format: qcow2}\n",
		 "contradiction", 9, 1},
		{"a member that leads out",
		 "templates:\n  t:\n    files:\n      root: {url: /srv/t.tar, sha256: " A64
		 ", member: ../root.img}\n",
		 "bad-value", 9, 1},
		{"a format that nobody knows",
		 "templates:\n  t:\n    files:\n      root: {url: /srv/t.vdi, sha256: " A64
		 ", format: vdi}\n",
		 "unknown-word", 9, 1},
		{"a mirror that is no url",
		 "templates:\n  t:\n    files:\n      root: {url: /srv/t.img, sha256: " A64
		 ", mirrors: ['ftp://x/t.img']}\n",
		 "bad-value", 9, 1},
		{"a storage that isn't there", "templates:\n  t:\n" FILES "    storage: vg7\n",
		 "unknown-reference", 11, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(freep) char *text = xasprintf(HEAD "%s", cases[i].text);
		_cleanup_diags_ struct diags *d = diags_new();

		print_message("  %s\n", cases[i].story);
		assert_null(manifest_load_text("t.yaml", ".", text, strlen(text), NULL, NULL,
					       all_kinds, d));
		diags_sort(d);
		diags_print(d, stdout, false);
		assert_int_equal(d->n_errors, cases[i].n);
		assert_string_equal(d->list[0].code, cases[i].code);
		assert_int_equal(d->list[0].span.line, cases[i].line);
	}
}

/* Whole files by their sha256, as ever; what else there is by what stands for it. */
static void what_a_base_is_named_by(void **state)
{
	static const struct {
		const char *file, *identity, *digest;
	} cases[] = {
		{"sha256: " A64, A64, NULL},
		{"sha512: " A64 B64, NULL, A64 B64},
		{"sha256: " A64 ", member: root.img", NULL, A64},
		{"sha256: " A64 ", member: ././root.img", NULL, A64},
		{"sha256: " A64 ", member: swap.img", NULL, A64},
		{"sha512: " A64 B64 ", member: root.img", NULL, A64 B64},
	};
	char ids[ARRAY_SIZE(cases)][SHA256_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(freep) char *text = xasprintf(
			HEAD "templates:\n  t:\n    files: {root: {url: /srv/t.img, %s}}\n"
			     "    storage: vg0\n",
			cases[i].file);
		struct diags *d = diags_new();
		_cleanup_manifest_ struct manifest *m = manifest_load_text(
			"t.yaml", ".", text, strlen(text), NULL, NULL, all_kinds, d);
		const struct template_import *import;
		const struct template *t;

		print_message("  %s\n", cases[i].file);
		diags_print(d, stdout, false);
		assert_non_null(m);
		t = manifest_find(m, "template", "t")->record;
		assert_int_equal(t->imports.n, 1);
		import = t->imports.entries[0].value;
		assert_int_equal(strlen(import->sha256), SHA256_TEXT - 1);
		if (cases[i].identity)
			assert_string_equal(import->sha256, cases[i].identity);
		if (cases[i].digest)
			assert_string_equal(import->digest, cases[i].digest);
		else
			assert_null(import->digest);
		snprintf(ids[i], sizeof(ids[i]), "%s", import->sha256);
	}
	assert_string_equal(ids[2], ids[3]);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t j = 0; j < i; j++)
			if (i != 3 || j != 2)
				assert_string_not_equal(ids[i], ids[j]);
	/* For ever: bases on hosts are named so. */
	assert_string_equal(ids[2],
			    "9529cfe97d5aca6721749e79cc320bc50c0c7649fa1b628334ede8b46fe1fa94");
}

static void a_shared_file_is_imported_once(void **state)
{
	static const char text[] = HEAD "templates:\n  one:\n" FILES "    storage: vg0\n"
					"  two:\n" FILES "    storage: vg0\n";
	struct diags *d = diags_new();
	_cleanup_manifest_ struct manifest *m =
		manifest_load_text("t.yaml", ".", text, sizeof(text) - 1, NULL, NULL, all_kinds, d);
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
		cmocka_unit_test(what_a_base_is_named_by),
		cmocka_unit_test(a_shared_file_is_imported_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

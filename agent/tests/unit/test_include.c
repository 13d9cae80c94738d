/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Manifests of several files, in a folder of their own that is made for each story.
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "kinds/domain.h"
#include "kinds/kinds.h"
#include "kinds/template.h"
#include "model/include.h"
#include "model/manifest_json.h"

#define HEAD "manor: 1\nnamespace: lab.example.org\n"

static char folder[64]; /* where the story takes place */

static int make_folder(void **state)
{
	char path[] = "/tmp/manor-include.XXXXXX";

	assert_non_null(mkdtemp(path));
	snprintf(folder, sizeof(folder), "%s/lab", path);
	return file_mkdirs(folder, 0755, NULL);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int remove_folder(void **state)
{
	*strrchr(folder, '/') = '\0';
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *in_folder(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void put_n(const char *name, const char *text, size_t n)
{
	_cleanup_(freep) char *path = xstrdup(in_folder(name)), *above = xstrdup(path);

	*strrchr(above, '/') = '\0';
	assert_int_equal(file_mkdirs(above, 0755, NULL), 0);
	assert_int_equal(file_write(path, text, n, 0644, NULL), 0);
}

static void put(const char *name, const char *text)
{
	put_n(name, text, strlen(text));
}

static struct manifest *load(struct diags *d)
{
	return manifest_load(in_folder("lab.yaml"), NULL, all_kinds, d);
}

/* One thing is wrong, and that is it: "FILE:LINE:COLUMN CODE", and a part of what is said. */
static void expect_wrong(const char *place, const char *says)
{
	_cleanup_diags_ struct diags *d = diags_new();
	_cleanup_(freep) char *found = NULL, *all = NULL;
	const struct diag *g;
	const char *name;

	assert_null(load(d));
	g = &d->list[0];
	name = g->span.source->name;
	if (startswith(name, folder))
		name += strlen(folder) + 1;
	found = xasprintf("%s:%u:%u %s", name, g->span.line, g->span.column, g->code);
	assert_string_equal(found, place);
	all = xasprintf("%s\n%s", g->message, g->help ? g->help : "");
	if (!strstr(all, says))
		fail_msg("'%s' lacks '%s'", all, says);
	assert_int_equal(d->n_errors, 1);
}

static void what_stands_in_an_included_file_is_read_as_if_it_stood_there(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct manifest *m;
	struct resource *web;

	put("lab.yaml", HEAD "include: [guests.yaml, parts/net.yaml]\nbridges: {inner: {}}\n");
	/* Whatever the order: what it names comes later. */
	put("guests.yaml", "domains:\n"
			   "  web: {kernel: /k, memory: 64MiB, nics: {a: {bridge: outer}, "
			   "b: {bridge: inner}}}\n");
	put("parts/net.yaml", "manor: 1\nbridges: {outer: {}}\nstorage:\n");
	m = load(d);
	assert_non_null(m);
	assert_int_equal(m->n_resources, 3);
	web = manifest_find(m, "domain", "web");
	assert_int_equal(web->n_needs, 2);
	assert_string_equal(web->span.source->name, in_folder("guests.yaml"));
	assert_string_equal(manifest_find(m, "bridge", "outer")->span.source->name,
			    in_folder("parts/net.yaml"));
}

static void one_file_needs_no_list(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct manifest *m;

	put("lab.yaml", HEAD "include: net.yaml\n");
	put("net.yaml", "bridges: {outer: {}}\n");
	m = load(d);
	assert_non_null(m);
	assert_non_null(manifest_find(m, "bridge", "outer"));
}

static void relative_paths_start_at_the_folder_of_the_file_they_stand_in(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	const struct template_file *file;
	const struct domain_disk *disk;
	const struct domain *guest;
	struct manifest *m;

	put("lab.yaml", HEAD "include: parts/golden/t.yaml\n"
			     "domains: {web: {template: t, initrd: ./initrd, "
			     "disks: {own: {vdev: xvdb, file: own.img, size: 1GiB}}}}\n");
	put("parts/golden/t.yaml",
	    "templates:\n"
	    "  t:\n"
	    "    files: {root: {url: root.img, sha256: {file: ../SUMS}}}\n"
	    "    domain: {kernel: ./vmlinuz, memory: 64MiB, "
	    "disks: {root: {vdev: xvda, from: root, file: root-of-web.img}}}\n");
	put("parts/SUMS",
	    "9f1c0c3ad7a25d3a1b6c46b1d5d9e0b65f5e8f0f4a9c1b7d2e3f405162738495  root.img\n");
	m = load(d);
	assert_non_null(m);
	file = template_file(manifest_find(m, "template", "t"), "root");
	assert_string_equal(startswith(file->url, "file://") ? file->url + 7 : "",
			    in_folder("parts/golden/root.img"));
	guest = manifest_find(m, "domain", "web")->record;
	/* Each where it was written, though both are the domain's. */
	assert_string_equal(guest->kernel_path, in_folder("parts/golden/./vmlinuz"));
	assert_string_equal(guest->initrd_path, in_folder("./initrd"));
	disk = map_get(&guest->disks, "root");
	assert_string_equal(disk->file, in_folder("parts/golden/root-of-web.img"));
	disk = map_get(&guest->disks, "own");
	assert_string_equal(disk->file, in_folder("own.img"));
}

static void one_name_in_two_files_is_an_error_in_every_section(void **state)
{
	static const struct {
		const char *section, *kind, *body;
	} all[] = {
		{"links", "link", "{match: {mac: '52:54:00:00:00:01'}}"},
		{"bridges", "bridge", "{}"},
		{"storage", "storage", "{devices: [{serial: X}], pool: {size: 1GiB}}"},
		{"templates", "template", "{}"},
		{"volumes", "volume", "{storage: s, size: 1GiB}"},
		{"domains", "domain", "{kernel: /k, memory: 64MiB}"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		bool volume = streq(all[i].kind, "volume");
		_cleanup_(freep) char *whole = xasprintf(
			HEAD "include: part.yaml\n%s: {x: %s}\n%s", all[i].section, all[i].body,
			volume ? "storage: {s: {devices: [{serial: X}], pool: {size: 2GiB}}}\n"
			       : "");
		_cleanup_(freep) char *part =
			xasprintf("# The same again.\n%s:\n  x: %s\n", all[i].section, all[i].body);
		_cleanup_(freep) char *says = xasprintf("%s 'x' is declared twice", all[i].kind);
		_cleanup_diags_ struct diags *d = diags_new();

		put("lab.yaml", whole);
		put("part.yaml", part);
		expect_wrong("part.yaml:3:3 duplicate-resource", says);
		assert_null(load(d));
		assert_string_equal(d->list[0].also[0].label, "first here");
		assert_string_equal(d->list[0].also[0].span.source->name, in_folder("lab.yaml"));
		assert_int_equal(d->list[0].also[0].span.line, 4);
	}
}

static void a_file_that_two_others_include_is_read_once(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct manifest *m;

	put("lab.yaml", HEAD "include: [parts/a.yaml, parts/b.yaml]\n");
	put("parts/a.yaml", "include: ../net.yaml\nbridges: {a: {}}\n");
	put("parts/b.yaml", "include: [linked.yaml, ../parts/./../net.yaml]\nbridges: {b: {}}\n");
	put("net.yaml", "bridges: {outer: {}}\n");
	assert_int_equal(symlink("../net.yaml", in_folder("parts/linked.yaml")), 0);
	m = load(d);
	assert_non_null(m);
	assert_int_equal(m->n_resources, 3);
	assert_int_equal(m->roots.n, 4);
}

static void a_cycle_is_one_error_that_shows_the_chain(void **state)
{
	put("lab.yaml", HEAD "include: a.yaml\n");
	put("a.yaml", "include: b.yaml\nbridges: {a: {}}\n");
	put("b.yaml", "bridges: {b: {}}\ninclude:\n- c.yaml\n- a.yaml\n");
	put("c.yaml", "bridges: {c: {}}\n");
	expect_wrong("b.yaml:4:3 cycle", "a.yaml includes itself: ");
	expect_wrong("b.yaml:4:3 cycle", "b.yaml → ");
	put("b.yaml", "include: b.yaml\n");
	expect_wrong("b.yaml:1:10 cycle", "b.yaml includes itself");
	put("b.yaml", "include: lab.yaml\n");
	expect_wrong("b.yaml:1:10 cycle", "lab.yaml includes itself");
	/* By another name it is the same file. */
	put("b.yaml", "include: also-a.yaml\n");
	assert_int_equal(symlink("a.yaml", in_folder("also-a.yaml")), 0);
	expect_wrong("b.yaml:1:10 cycle", "a.yaml includes itself");
}

static void files_include_each_other_eight_deep(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();

	put("lab.yaml", HEAD "include: 1.yaml\n");
	for (int i = 1; i <= 8; i++) {
		_cleanup_(freep) char *name = xasprintf("%d.yaml", i);
		_cleanup_(freep) char *text = xasprintf("include: %d.yaml\n", i + 1);

		put(name, i < 8 ? text : "bridges: {deep: {}}\n");
	}
	assert_non_null(load(d));
	put("8.yaml", "include: 9.yaml\n");
	put("9.yaml", "bridges: {deeper: {}}\n");
	expect_wrong("8.yaml:1:10 too-deep", "more than 8 deep");
}

static void files_are_64_at_most(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	_cleanup_str_ struct str all = {0};
	_cleanup_(freep) char *more = NULL;

	str_add(&all, HEAD "include:\n");
	for (int i = 1; i < 64; i++) {
		_cleanup_(freep) char *name = xasprintf("%d.yaml", i);
		_cleanup_(freep) char *text = xasprintf("bridges: {b%d: {}}\n", i);

		put(name, text);
		str_addf(&all, "- %s\n", name);
	}
	put("lab.yaml", str_get(&all));
	assert_non_null(load(d));
	put("64.yaml", "bridges: {b64: {}}\n");
	more = xasprintf("%s- 64.yaml\n", str_get(&all));
	put("lab.yaml", more);
	expect_wrong("lab.yaml:67:3 too-many", "more than 64 files");
}

static void together_they_are_as_large_as_one_may_be(void **state)
{
	size_t half = NODE_MAX_BYTES / 2;
	_cleanup_(freep) char *text = xcalloc(1, half + 1);
	_cleanup_diags_ struct diags *d = diags_new();
	const char *start = "bridges: {a: {}}\n#";

	memset(text, 'x', half);
	memcpy(text, start, strlen(start));
	put("lab.yaml", HEAD "include: [a.yaml]\n");
	put_n("a.yaml", text, half);
	assert_non_null(load(d));
	put("lab.yaml", HEAD "include: [a.yaml, b.yaml]\n");
	memcpy(text, "bridges: {b: {}}\n#", strlen(start));
	put_n("b.yaml", text, half);
	expect_wrong("lab.yaml:3:19 too-large", "larger than 4 MiB");
}

static void together_they_hold_as_many_values_as_one_may(void **state)
{
	_cleanup_str_ struct str all = {0};

	str_add(&all, "bridges: {a: {addresses: [");
	for (int i = 0; i < NODE_MAX_NODES * 3 / 5; i++)
		str_add(&all, "1,");
	str_add(&all, "]}}\n");
	put("a.yaml", str_get(&all));
	put("b.yaml", str_get(&all));
	put("lab.yaml", HEAD "include: [a.yaml, b.yaml]\n");
	{
		_cleanup_diags_ struct diags *d = diags_new();

		assert_null(load(d));
		assert_string_equal(d->list[0].code, "too-many-nodes");
		assert_int_equal(d->list[0].span.column, 19);
	}
}

static void what_is_the_manifests_alone_is_refused_elsewhere(void **state)
{
	static const char *const only[] = {"namespace: a.b", "host: {name: x}", "max_removals: 3"};

	put("lab.yaml", HEAD "include: part.yaml\n");
	for (size_t i = 0; i < ARRAY_SIZE(only); i++) {
		put("part.yaml", only[i]);
		expect_wrong("part.yaml:1:1 misplaced-key", "belongs in the manifest itself");
	}
	put("part.yaml", "manor: 2\nbridgets: {}\n");
	expect_wrong("part.yaml:1:8 unknown-version", "format version '2'");
	put("part.yaml", "bridgets: {}\n");
	expect_wrong("part.yaml:1:1 unknown-key", "unknown key 'bridgets' in the included file");
	put("part.yaml", "- bridges\n");
	expect_wrong("part.yaml:1:1 wrong-type", "what may stand here: manor, include, links");
	put("part.yaml", "bridges: []\n");
	expect_wrong("part.yaml:1:10 wrong-type", "a mapping from names to bridges");
}

/* One that was cut short must not look like one that declares nothing: that would remove what it did. */
static void an_empty_file_is_an_error(void **state)
{
	put("lab.yaml", HEAD "include: part.yaml\n");
	put("part.yaml", "# all of it, later\n");
	expect_wrong("part.yaml:1:1 empty-manifest", "the included file is empty");
}

static void what_cannot_be_read_is_said_where_it_is_asked_for(void **state)
{
	put("lab.yaml", HEAD "include: [parts/a.yaml]\n");
	expect_wrong("lab.yaml:3:11 unreadable-file", "parts/a.yaml: No such file");
	put("parts/a.yaml", "include: parts/b.yaml\n");
	put("parts/b.yaml", "bridges: {b: {}}\n");
	expect_wrong("parts/a.yaml:1:10 unreadable-file",
		     "starts at the folder of the file that it stands in");
	put("lab.yaml", HEAD "include: parts\n");
	expect_wrong("lab.yaml:3:10 unreadable-file", "name its files, one by one");
	put("lab.yaml", HEAD "include: {}\n");
	expect_wrong("lab.yaml:3:10 wrong-type", "a text, or a list of texts");
	put("lab.yaml", HEAD "include: [b.yaml, b.yaml]\n");
	put("b.yaml", "bridges: {b: {}}\n");
	expect_wrong("lab.yaml:3:19 duplicate-item", "twice");
}

static void what_it_would_declare_is_not_called_unknown(void **state)
{
	static const char *const broken[] = {"templates: [t\n", "- templates\n", "manor: 2\n",
					     NULL};

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		_cleanup_diags_ struct diags *d = diags_new();

		put("lab.yaml", HEAD "include: part.yaml\n"
				     "domains: {web: {template: t, nics: {a: {bridge: outer}}}}\n");
		if (broken[i])
			put("part.yaml", broken[i]);
		else
			assert_int_equal(unlink(in_folder("part.yaml")), 0);
		assert_null(load(d));
		assert_int_equal(d->n_errors, 1);
		assert_string_not_equal(d->list[0].code, "unknown-reference");
	}
}

static void files_lie_in_the_manifests_folder_or_below(void **state)
{
	_cleanup_(freep) char *link = xstrdup(in_folder("link.yaml"));
	_cleanup_diags_ struct diags *d = diags_new();

	put("lab.yaml", HEAD "include: link.yaml\n");
	put("parts/net.yaml", "bridges: {outer: {}}\n");
	put("../outside.yaml", "bridges: {outer: {}}\n");
	put("../lab-not/net.yaml", "bridges: {outer: {}}\n");
	assert_int_equal(symlink("parts/net.yaml", link), 0);
	assert_non_null(load(d));
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("../outside.yaml", link), 0);
	expect_wrong("lab.yaml:3:10 outside", "link.yaml leads to ");
	assert_int_equal(unlink(link), 0);
	/* A folder's link counts as well. */
	assert_int_equal(symlink("..", link), 0);
	put("lab.yaml", HEAD "include: link.yaml/outside.yaml\n");
	expect_wrong("lab.yaml:3:10 outside", " leads to ");
	put("lab.yaml", HEAD "include: ../lab-not/net.yaml\n");
	expect_wrong("lab.yaml:3:10 outside", "is not below");
	put("lab.yaml", HEAD "include: /etc/passwd\n");
	expect_wrong("lab.yaml:3:10 outside", "/etc/passwd is not below");
}

static void or_among_those_that_are_installed(void **state)
{
	assert_true(include_allowed("/etc/manor", MANOR_SHARE "/templates/pv-linux.yaml"));
	assert_true(include_allowed("/etc/manor", "/etc/manor/parts/net.yaml"));
	assert_true(include_allowed("/", "/etc/passwd"));
	assert_false(include_allowed("/etc/manor", MANOR_SHARE "-other/net.yaml"));
	assert_false(include_allowed("/etc/manor", "/etc/manor.d/net.yaml"));
	assert_false(include_allowed("/etc/manor", "/etc/manor"));
}

static void a_pipe_is_not_waited_for(void **state)
{
	put("lab.yaml", HEAD "include: pipe\n");
	assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
	expect_wrong("lab.yaml:3:10 unreadable-file", "no regular file");
}

/* As it is kept in force, and sent to the agent. */
static void what_was_read_can_be_read_again_without_the_files(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new(), *again = diags_new(), *later = diags_new();
	_cleanup_json_ json_object *o = NULL;
	struct manifest *m, *kept = NULL;
	const struct domain *guest;

	put("lab.yaml", HEAD "include: parts/link.yaml\n");
	put("parts/v2/a.yaml", "include: ../../b.yaml\n"
			       "domains: {web: {kernel: ./k, memory: 64MiB}}\n");
	put("b.yaml", "bridges: {outer: {}}\ninclude: ./parts/v2/c.yaml\n");
	put("parts/v2/c.yaml", "bridges: {inner: {}}\n");
	assert_int_equal(symlink("v2/a.yaml", in_folder("parts/link.yaml")), 0);
	m = load(d);
	assert_non_null(m);
	o = manifest_to_json(m);
	assert_int_equal(unlink(in_folder("parts/link.yaml")), 0);
	put("b.yaml", "bridges: {other: {}}\n");
	assert_int_equal(manifest_from_json(o, NULL, all_kinds, again, &kept, NULL), 0);
	assert_non_null(kept);
	assert_string_equal(kept->digest, m->digest);
	assert_non_null(manifest_find(kept, "bridge", "outer"));
	assert_non_null(manifest_find(kept, "bridge", "inner"));
	guest = manifest_find(kept, "domain", "web")->record;
	assert_string_equal(guest->kernel_path, in_folder("parts/v2/./k"));
	assert_int_equal(again->looked_at.n, 0);
	/* What is in force is another once an included file is. */
	assert_int_equal(symlink("v2/a.yaml", in_folder("parts/link.yaml")), 0);
	m = load(later);
	assert_non_null(m);
	assert_string_not_equal(m->digest, kept->digest);
}

static void one_that_was_not_sent_is_not_looked_for(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new(), *again = diags_new();
	_cleanup_json_ json_object *o = NULL;
	struct manifest *kept = NULL;

	put("lab.yaml", HEAD "include: a.yaml\n");
	put("a.yaml", "bridges: {outer: {}}\n");
	o = manifest_to_json(load(d));
	json_object_object_del(o, "included");
	assert_int_equal(manifest_from_json(o, NULL, all_kinds, again, &kept, NULL), 0);
	assert_null(kept);
	assert_non_null(strstr(again->list[0].message, "did not come with the manifest"));
}

/* For whoever watches: the file that isn't there yet is the one to wait for. */
static void all_that_was_looked_for_is_told_be_it_there_or_not(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();

	put("lab.yaml", HEAD "include: [a.yaml, none.yaml]\n");
	put("a.yaml", "bridges: {outer: {}}\ninclude: broken.yaml\n");
	put("broken.yaml", "bridges: [\n");
	assert_null(load(d));
	assert_int_equal(d->looked_at.n, 3);
	assert_true(list_has(&d->looked_at, in_folder("a.yaml")));
	assert_true(list_has(&d->looked_at, in_folder("broken.yaml")));
	assert_true(list_has(&d->looked_at, in_folder("none.yaml")));
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(what_stands_in_an_included_file_is_read_as_if_it_stood_there),
		STORY(one_file_needs_no_list),
		STORY(relative_paths_start_at_the_folder_of_the_file_they_stand_in),
		STORY(one_name_in_two_files_is_an_error_in_every_section),
		STORY(a_file_that_two_others_include_is_read_once),
		STORY(a_cycle_is_one_error_that_shows_the_chain),
		STORY(files_include_each_other_eight_deep),
		STORY(files_are_64_at_most),
		STORY(together_they_are_as_large_as_one_may_be),
		STORY(together_they_hold_as_many_values_as_one_may),
		STORY(what_is_the_manifests_alone_is_refused_elsewhere),
		STORY(an_empty_file_is_an_error),
		STORY(what_cannot_be_read_is_said_where_it_is_asked_for),
		STORY(what_it_would_declare_is_not_called_unknown),
		STORY(files_lie_in_the_manifests_folder_or_below),
		cmocka_unit_test(or_among_those_that_are_installed),
		STORY(a_pipe_is_not_waited_for),
		STORY(what_was_read_can_be_read_again_without_the_files),
		STORY(one_that_was_not_sent_is_not_looked_for),
		STORY(all_that_was_looked_for_is_told_be_it_there_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor image export, capture and import over the host in memory: what is refused, what is made, and what is left when
 * it goes wrong.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "base/file.h"
#include "cli/cli.h"
#include "engine/store.h"
#include "host/lvm.h"
#include "host/xen.h"
#include "kinds/golden.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/snapshot.h"
#include "kinds/template.h"
#include "tests/fake/fake.h"

#define MiB       (UINT64_C(1) << 20)
#define D(c)      c c c c c c c c c c c c c c c c
#define DIGEST(c) D(c) D(c) D(c) D(c)

static const char text[] =
	"manor: 1\n"
	"namespace: lab.example.org\n"
	"storage:\n"
	"  vg0: {devices: [{serial: A}], pool: {size: 1GiB}}\n"
	"volumes:\n"
	"  web-data: {storage: vg0, size: 64MiB}\n"
	"  thick: {storage: vg0, size: 64MiB, thin: false}\n"
	"templates:\n"
	"  tiny:\n"
	"    files: {root: {url: /r, sha256: " DIGEST("a") "}, kernel: {url: /k, sha256: " DIGEST(
		"c") "}}\n"
		     "domains:\n"
		     "  web:\n"
		     "    template: tiny\n"
		     "    type: pv\n"
		     "    kernel: kernel\n"
		     "    memory: 128MiB\n"
		     "    disks:\n"
		     "      data: {vdev: xvdb, volume: web-data}\n"
		     "      root: {vdev: xvda, from: root, storage: vg0}\n"
		     "      big: {vdev: xvdc, volume: thick}\n"
		     "  bare: {type: pv, kernel: /k, memory: 128MiB}\n";

static const char file[] = "/run/m.yaml", out[] = "/run/out.img.zst";
static const char *failing; /* a call */
static int starts_after;    /* so many calls to LVM later somebody unpauses the guest; 0: never */
static int signal_after;

static struct arena *arena;
static struct xen_facts xen;
static struct xen_domain *web;

bool fake_fails(const char *op)
{
	if (starts_after && --starts_after == 0) {
		web->state = XEN_RUNNING;
		fake_xen_load(&xen);
	}
	if (signal_after && --signal_after == 0)
		raise(SIGINT);
	return failing && streq(op, failing);
}

static struct lvm_lv *add(struct lvm_facts *l, const char *vg, const char *name, const char *kind)
{
	struct lvm_lv *v = arena_alloc(arena, sizeof(*v));
	char uuid[UUID_TEXT];

	*v = (struct lvm_lv){
		.name = name,
		.vg = vg,
		.type = "thin",
		.pool = "pool",
		.size = 64 * MiB,
		.data_percent = 1000,
		.active = true,
		.thin_id = 1,
	};
	if (kind) {
		ident_uuid("lab.example.org", kind, name, uuid);
		list_add(arena, &v->tags, (void *)arena_printf(arena, TAG_ID "=%s", uuid));
		list_add(arena, &v->tags, (void *)arena_printf(arena, TAG_NAME "=%s", name));
	}
	list_add(arena, &l->lvs, v);
	return v;
}

/* A guest with a clone, a thin and a thick volume; a base; what another namespace has. */
static void load(int state, int64_t pool_percent)
{
	struct lvm_facts l = {0};
	struct lvm_lv *v;
	static const char *const vgs[] = {"vg0", "vg9"};
	static const char *const targets[] = {"/dev/vg0/web-data", "/dev/vg0/web.root",
					      "/dev/vg0/thick"};

	arena_free(arena);
	arena = arena_new();
	for (size_t i = 0; i < 2; i++) {
		struct lvm_vg *vg = arena_alloc(arena, sizeof(*vg));
		char uuid[UUID_TEXT];

		ident_uuid(i ? "other.example.org" : "lab.example.org", "storage", vgs[i], uuid);
		vg->name = vgs[i];
		vg->size = vg->free = 1024 * MiB;
		list_add(arena, &vg->tags, (void *)arena_printf(arena, TAG_ID "=%s", uuid));
		list_add(arena, &l.vgs, vg);
		v = add(&l, vgs[i], "pool", NULL);
		v->type = "thin-pool";
		v->pool = NULL;
		v->thin_id = -1;
		v->size = 1024 * MiB;
		v->data_percent = pool_percent;
		v->metadata_percent = 1000;
	}
	add(&l, "vg0", "web-data", "volume");
	v = add(&l, "vg0", "web.root", "volume");
	v->origin = "base." D("a");
	list_add(arena, &v->tags, (void *)("manor.base=" DIGEST("a")));
	v = add(&l, "vg0", "thick", "volume");
	v->type = "linear";
	v->pool = NULL;
	v = add(&l, "vg0", "base." D("a"), NULL);
	v->readonly = true;
	v->active = false;
	list_add(arena, &v->tags, (void *)("manor.base=" DIGEST("a")));
	add(&l, "vg0", "scratch", NULL);
	add(&l, "vg9", "theirs", NULL);
	fake_lvm_load(&l);
	fake_cache_load(NULL);
	xen = (struct xen_facts){.version = "4.17"};
	web = NULL;
	if (state >= 0) {
		char uuid[UUID_TEXT];

		ident_uuid("lab.example.org", "domain", "web", uuid);
		web = arena_alloc(arena, sizeof(*web));
		web->domid = 3;
		web->name = web->mark_name = "web";
		web->uuid = web->mark_uuid = arena_strdup(arena, uuid);
		web->state = state;
		for (size_t i = 0; i < 3; i++) {
			struct xen_disk *d = arena_alloc(arena, sizeof(*d));

			d->target = targets[i];
			d->vdev = "xvda";
			list_add(arena, &web->disks, d);
		}
		list_add(arena, &xen.domains, web);
	}
	fake_xen_load(&xen);
	unlink(out);
	failing = NULL;
	starts_after = signal_after = 0;
}

static int call(const char *const *words)
{
	char *argv[16] = {0};
	int argc = 0;

	while (argc < 15 && words[argc]) {
		argv[argc] = (char *)words[argc];
		argc++;
	}
	return verb_image(argc, argv);
}

#define IMAGE(...) call((const char *const[]){"image", __VA_ARGS__, "-f", file, NULL})

/* A mount namespace of its own, where the lock and the journal are nobody else's. */
static bool alone(void)
{
	return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", "/run", "tmpfs", 0, NULL) == 0 &&
	       mount("none", "/var/lib", "tmpfs", 0, NULL) == 0 && chdir("/run") == 0 &&
	       file_write(file, text, sizeof(text) - 1, 0600, NULL) == 0;
}

/* What there is now. */
static struct lvm_facts now(void)
{
	struct lvm_facts l;

	assert_int_equal(lvm_read(arena, &l, NULL), 0);
	return l;
}

static size_t count(void)
{
	return now().lvs.n;
}

static size_t snapshots(void)
{
	struct lvm_facts l = now();
	size_t n = 0;

	for (size_t i = 0; i < l.lvs.n; i++)
		n += snapshot_is(l.lvs.items[i]);
	return n;
}

static bool there(const char *path)
{
	return access(path, F_OK) == 0;
}

static bool journal_has(const char *word)
{
	_cleanup_(freep) char *journal = NULL;

	return file_read("/var/lib/manor/journal.jsonl", 65536, &journal, NULL, NULL) == 0 &&
	       strstr(journal, word);
}

static void a_volume_is_exported(void **state)
{
	static const char *const names[] = {"web-data", "volume/web.root",  "vg0/web-data",
					    "aaaaaa",   "vg0/base." D("a"), "vg0/scratch",
					    "thick"};
	size_t before;

	if (!alone())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		load(-1, 1000);
		before = count();
		assert_int_equal(IMAGE("export", names[i], "-o", out), EXIT_FINE);
		assert_true(there(out));
		assert_int_equal(count(), before);
	}
	assert_true(journal_has("\"exported\""));
	assert_int_equal(IMAGE("export", "web-data", "-o", out), EXIT_FAILED);
	assert_int_equal(IMAGE("export", "web-data", "-o", out, "--force", "--format", "json"),
			 EXIT_FINE);
	assert_int_equal(IMAGE("export", "web-data"), EXIT_FINE);
	assert_true(there("/run/web-data.img.zst"));
	assert_int_equal(count(), before);
}

static void what_can_be_no_export_is_told(void **state)
{
	size_t before;

	if (!alone())
		skip();
	load(-1, 1000);
	before = count();
	assert_int_equal(IMAGE("export"), EXIT_BAD);
	assert_int_equal(IMAGE("export", "web-data", "web.root"), EXIT_BAD);
	assert_int_equal(IMAGE("export", "web-data", "-o", "x.iso"), EXIT_BAD);
	assert_int_equal(IMAGE("export", "web-data", "--boot"), EXIT_BAD);
	assert_int_equal(IMAGE("ls", "--live"), EXIT_BAD);
	assert_int_equal(IMAGE("export", "web-dat"), EXIT_FAILED);
	assert_int_equal(IMAGE("export", "pool"), EXIT_FAILED);
	assert_int_equal(IMAGE("export", "vg9/theirs"), EXIT_FAILED);
	assert_int_equal(IMAGE("export", "web-data", "-o", "/no/such/out.img.zst"), EXIT_FAILED);
	failing = "image_pack";
	assert_int_equal(IMAGE("export", "web-data", "-o", out), EXIT_FAILED);
	assert_false(there(out));
	failing = "lvm_clone";
	assert_int_equal(IMAGE("export", "web-data", "-o", out), EXIT_FAILED);
	assert_int_equal(count(), before);
	/* A snapshot that can't be taken away is told, and found. */
	failing = "lvm_remove";
	assert_int_equal(IMAGE("export", "web-data", "-o", out), EXIT_FINE);
	failing = NULL;
	assert_int_equal(snapshots(), 1);
	assert_int_equal(IMAGE("ls"), EXIT_FINE);
	assert_int_equal(IMAGE("verify"), EXIT_FAILED); /* tiny/kernel isn't there */
	assert_int_equal(IMAGE("gc", "-n"), EXIT_FINE);
	assert_int_equal(snapshots(), 1);
	assert_int_equal(IMAGE("gc", "--yes"), EXIT_FINE);
	assert_int_equal(count(), before);
}

static void who_may_write_to_it_is_asked(void **state)
{
	if (!alone())
		skip();
	load(XEN_RUNNING, 1000);
	assert_int_equal(IMAGE("export", "web-data", "-o", out), EXIT_FAILED);
	assert_false(there(out));
	assert_int_equal(IMAGE("export", "web-data", "-o", out, "--live"), EXIT_FINE);
	/* No snapshot, no copy of one moment. */
	assert_int_equal(IMAGE("export", "thick", "-o", out, "--force", "--live"), EXIT_FAILED);
	/* What it writes meanwhile needs room; of one that nobody writes to a full pool can be rid. */
	load(XEN_RUNNING, 9600);
	assert_int_equal(IMAGE("export", "web-data", "-o", out, "--live"), EXIT_FAILED);
	load(-1, 9600);
	assert_int_equal(IMAGE("export", "web-data", "-o", out), EXIT_FINE);
	load(XEN_PAUSED, 1000);
	assert_int_equal(IMAGE("export", "web-data", "-o", out), EXIT_FINE);
	assert_int_equal(IMAGE("export", "thick", "-o", out, "--force"), EXIT_FAILED);
	load(XEN_SHUTDOWN, 1000);
	assert_int_equal(IMAGE("export", "thick", "-o", out), EXIT_FINE);
	/* Started while it was read: no file appears. */
	load(XEN_SHUTDOWN, 1000);
	starts_after = 1;
	assert_int_equal(IMAGE("export", "thick", "-o", out), EXIT_FAILED);
	assert_false(there(out));
	/* Read only harms nobody. */
	load(XEN_RUNNING, 1000);
	for (size_t i = 0; i < web->disks.n; i++)
		((struct xen_disk *)web->disks.items[i])->read_only = true;
	fake_xen_load(&xen);
	assert_int_equal(IMAGE("export", "thick", "-o", out), EXIT_FINE);
}

/* The base's name of what the fake packs. */
static const struct lvm_lv *captured(const char *member)
{
	struct template_file f = {.member = member};
	char digest[SHA256_TEXT], name[LVM_BASE_TEXT];
	struct lvm_facts *l = arena_alloc(arena, sizeof(*l));

	sha256_of(fake_disk, strlen(fake_disk), digest);
	f.sha256 = digest;
	*l = now();
	return lvm_lv(l, "vg0", lvm_base_name(template_file_id(arena, &f), name));
}

static void a_disk_that_is_captured_becomes_a_base(void **state)
{
	static const int states[] = {-1, XEN_PAUSED, XEN_SHUTDOWN};
	const struct lvm_lv *base;
	struct lvm_facts l;
	size_t before;

	if (!alone())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		load(states[i], 1000);
		before = count();
		assert_int_equal(IMAGE("capture", "web", "-o", out), EXIT_FINE);
		assert_int_equal(count(), before + 1);
		base = captured(NULL);
		assert_non_null(base);
		assert_true(base->readonly);
		assert_false(base->active);
		assert_false(lvm_filling(base));
		assert_string_equal(lvm_tag_value(&base->tags, TAG_CAPTURED), "web.root");
		assert_string_equal(base->origin, "web.root");
		assert_int_equal(snapshots(), 0);
	}
	assert_true(journal_has("\"captured\""));
	/* Once more it is the same, and the first stays. */
	assert_int_equal(IMAGE("capture", "domain/web", "-o", out, "--force"), EXIT_FINE);
	assert_int_equal(count(), before + 1);
	/* It is sound, its own, and freed when nobody names it; what it came from stays. */
	assert_int_equal(IMAGE("verify", lvm_tag_value(&base->tags, TAG_BASE)), EXIT_FINE);
	assert_int_equal(IMAGE("gc", "--yes"), EXIT_FINE);
	assert_int_equal(count(), before);
	/* As an archive's member it is known by another name. */
	assert_int_equal(IMAGE("capture", "web", "-o", "/run/out.tar"), EXIT_FINE);
	assert_null(captured(NULL));
	assert_non_null(captured("web-root.img"));
	/* Its origin may go from under it. */
	l = now();
	assert_int_equal(lvm_remove("vg0", "web.root", NULL), 0);
	assert_non_null(captured("web-root.img"));
	assert_null(captured("web-root.img")->origin);
	(void)l;
}

static void another_disk_may_be_meant(void **state)
{
	if (!alone())
		skip();
	load(-1, 1000);
	assert_int_equal(IMAGE("capture", "web", "--disk", "data", "--format", "json"), EXIT_FINE);
	assert_true(there("/run/web-data.img.zst"));
	assert_string_equal(lvm_tag_value(&captured(NULL)->tags, TAG_CAPTURED), "web-data");
	assert_int_equal(IMAGE("capture", "web", "--disk", "big"), EXIT_FAILED);
	assert_int_equal(IMAGE("capture", "web", "--disk", "dat"), EXIT_BAD);
	assert_int_equal(IMAGE("capture", "bare"), EXIT_BAD);
	assert_int_equal(IMAGE("capture", "wep"), EXIT_BAD);
	assert_int_equal(IMAGE("capture"), EXIT_BAD);
	assert_int_equal(IMAGE("capture", "web", "--live"), EXIT_BAD);
}

static void a_guest_that_runs_is_not_captured(void **state)
{
	size_t before;

	if (!alone())
		skip();
	load(XEN_RUNNING, 1000);
	before = count();
	assert_int_equal(IMAGE("capture", "web", "-o", out), EXIT_FAILED);
	/* Started in between: the snapshot goes. */
	load(XEN_PAUSED, 1000);
	starts_after = 1;
	assert_int_equal(IMAGE("capture", "web", "-o", out), EXIT_FAILED);
	assert_int_equal(web->state, XEN_RUNNING);
	/* Nothing new goes into a pool as full as that. */
	load(-1, 9600);
	assert_int_equal(IMAGE("capture", "web", "-o", out), EXIT_FAILED);
	load(-1, 1000);
	failing = "image_pack";
	assert_int_equal(IMAGE("capture", "web", "-o", out), EXIT_FAILED);
	assert_int_equal(count(), before);
	assert_false(there(out));
}

/* Whichever of its calls fails, what is left is half-made or nothing, and the next one goes on. */
static void a_capture_that_fails_is_done_again(void **state)
{
	static const char *const calls[] = {"lvm_clone", "lvm_tag", "lvm_rename", "lvm_base_finish",
					    "lvm_base_finish (half-way)"};

	if (!alone())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		size_t before;

		load(-1, 1000);
		before = count();
		failing = calls[i];
		assert_int_equal(IMAGE("capture", "web", "-o", out), EXIT_FAILED);
		failing = NULL;
		assert_true(!captured(NULL) || lvm_filling(captured(NULL)));
		assert_int_equal(IMAGE("capture", "web", "-o", out, "--force"), EXIT_FINE);
		assert_non_null(captured(NULL));
		assert_false(lvm_filling(captured(NULL)));
		assert_int_equal(IMAGE("gc", "--yes"), EXIT_FINE);
		assert_int_equal(count(), before);
	}
}

static void who_is_interrupted_leaves_nothing(void **state)
{
	size_t before;

	if (!alone())
		skip();
	/* Whoever runs tests in the background may have them ignored, and then they stay so. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	load(-1, 1000);
	before = count();
	signal_after = 1;
	assert_int_equal(IMAGE("export", "web-data", "-o", out), EXIT_INTERRUPTED);
	signal_after = 1;
	assert_int_equal(IMAGE("capture", "web", "-o", out), EXIT_INTERRUPTED);
	assert_int_equal(count(), before);
	assert_false(there(out));
}

static void a_file_is_imported(void **state)
{
	static const char image[] = "/run/disk.img";
	char digest[SHA256_TEXT], wrong[] = DIGEST("b");
	size_t before;

	if (!alone())
		skip();
	load(-1, 1000);
	before = count();
	assert_int_equal(file_write(image, fake_disk, strlen(fake_disk), 0600, NULL), 0);
	sha256_of(fake_disk, strlen(fake_disk), digest);
	assert_int_equal(IMAGE("import", image), EXIT_FINE);
	assert_int_equal(count(), before + 1);
	assert_non_null(captured(NULL));
	assert_true(captured(NULL)->readonly);
	assert_true(journal_has("\"imported\""));
	/* There already. */
	assert_int_equal(IMAGE("import", image, "--sha256", digest, "--storage", "vg0"), EXIT_FINE);
	assert_int_equal(count(), before + 1);
	assert_int_equal(IMAGE("import", image, "--member", "./root.img", "--type", "tar",
			       "--format", "json"),
			 EXIT_FINE);
	assert_non_null(captured("root.img"));
	assert_int_equal(count(), before + 2);
	/* What is wrong with it. */
	load(-1, 1000);
	assert_int_equal(IMAGE("import"), EXIT_BAD);
	assert_int_equal(IMAGE("import", "/run/none.img"), EXIT_FAILED);
	assert_int_equal(IMAGE("import", "/run"), EXIT_FAILED);
	assert_int_equal(IMAGE("import", image, "--storage", "vg1"), EXIT_BAD);
	assert_int_equal(IMAGE("import", image, "--sha256", "12"), EXIT_BAD);
	assert_int_equal(IMAGE("import", image, "--type", "iso"), EXIT_BAD);
	assert_int_equal(IMAGE("import", image, "--member", "../x"), EXIT_BAD);
	assert_int_equal(IMAGE("import", image, "--boot", "--storage", "vg0"), EXIT_BAD);
	fake_image_add("file:///run/disk.img", digest, 16 * MiB);
	assert_int_equal(IMAGE("import", image, "--sha256", wrong), EXIT_FAILED);
	fake_image_clear();
	failing = "image_write";
	assert_int_equal(IMAGE("import", image), EXIT_FAILED);
	failing = "lvm_base_create";
	assert_int_equal(IMAGE("import", image), EXIT_FAILED);
	assert_int_equal(count(), before);
	load(-1, 9600);
	assert_int_equal(IMAGE("import", image), EXIT_FAILED);
	fake_lvm_load(NULL);
	assert_int_equal(IMAGE("import", image), EXIT_FAILED);
}

static void what_an_import_left_is_made_anew(void **state)
{
	static const char image[] = "/run/disk.img";
	size_t before;

	if (!alone())
		skip();
	load(-1, 1000);
	before = count();
	assert_int_equal(file_write(image, fake_disk, strlen(fake_disk), 0600, NULL), 0);
	failing = "lvm_base_finish (half-way)";
	assert_int_equal(IMAGE("import", image), EXIT_FAILED);
	failing = NULL;
	assert_int_equal(count(), before);
	assert_int_equal(IMAGE("import", image), EXIT_FINE);
	assert_int_equal(count(), before + 1);
}

static void boot_files_go_into_the_cache(void **state)
{
	static const char image[] = "/run/vmlinuz";

	if (!alone())
		skip();
	load(-1, 1000);
	assert_int_equal(file_write(image, fake_disk, strlen(fake_disk), 0600, NULL), 0);
	assert_int_equal(IMAGE("import", image, "--boot"), EXIT_FINE);
	assert_int_equal(IMAGE("import", image, "--boot", "--format", "json"), EXIT_FINE);
	assert_int_equal(IMAGE("gc", "--yes"), EXIT_FINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_volume_is_exported),
		cmocka_unit_test(what_can_be_no_export_is_told),
		cmocka_unit_test(who_may_write_to_it_is_asked),
		cmocka_unit_test(a_disk_that_is_captured_becomes_a_base),
		cmocka_unit_test(another_disk_may_be_meant),
		cmocka_unit_test(a_guest_that_runs_is_not_captured),
		cmocka_unit_test(a_capture_that_fails_is_done_again),
		cmocka_unit_test(who_is_interrupted_leaves_nothing),
		cmocka_unit_test(a_file_is_imported),
		cmocka_unit_test(what_an_import_left_is_made_anew),
		cmocka_unit_test(boot_files_go_into_the_cache),
	};

	return cmocka_run_group_tests_name("image_make", tests, NULL, NULL);
}

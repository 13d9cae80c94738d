/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Golden cases: manifest.yaml and facts.json give plan.txt. For every one of them, against the host in
 * memory: applying and planning again gives nothing (the fixpoint), with each mutating call of the
 * host failing in turn first, which leaves half-made things behind as a crash would.
 *
 * Where a case has a libxl.txt, that is what the apply asks libxl for, call by call, in libxl's own JSON: filled by the
 * product's own code, so that nothing between the manifest and libxl is left out.
 *
 *   harness [DIR…]       check (all, without arguments); GOLDEN_UPDATE=1 writes plan.txt anew, and libxl.txt where there is
 *                        one (touch it for a new one), to be read before they are kept;
 *                        GOLDEN_DUMP=FILE writes the facts after the apply
 *
 * Prints TAP.
 */
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/observe.h"
#include "engine/perform.h"
#include "engine/planner.h"
#include "engine/run.h"
#include "host/intent.h"
#include "host/save.h"
#include "kinds/kinds.h"
#include "model/record_json.h"
#include "tests/fake/fake.h"

#define CALLS_MAX 200
#define ROUNDS    4

static unsigned n_tests, n_failed;
static long fail_at = -1, calls; /* which mutating call fails; how many there were */
static char failed_op[128];

bool fake_fails(const char *op)
{
	bool fails = calls++ == fail_at;

	if (fails)
		snprintf(failed_op, sizeof(failed_op), "%s", op);
	return fails;
}

static void result(bool ok, const char *name, const char *what, const char *why)
{
	n_tests++;
	n_failed += !ok;
	printf("%s %u - %s: %s\n", ok ? "ok" : "not ok", n_tests, name, what);
	for (const char *p = why; !ok && p && *p;) {
		size_t n = strcspn(p, "\n");

		printf("# %.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
}

static char *plan_text(const struct plan *p)
{
	static const char *const types[] = {"foreign", "warning", "unknown", "kept"};
	struct str s = {0};

	if (p->refusal)
		str_addf(&s, "refused: %s\n", p->refusal);
	for (size_t i = 0; i < p->n; i++) {
		const struct step *x = &p->steps[i];

		str_addf(&s, "%s [%s]%s%s\n", x->id, impact_words[x->impact], x->why ? " " : "",
			 x->why ? x->why : "");
		for (size_t j = 0; j < x->n_after; j++)
			str_addf(&s, "    %s %s\n", x->after[j].required ? "needs" : "after",
				 p->steps[x->after[j].step].id);
		if (x->loses)
			str_addf(&s, "    loses %s\n", x->loses);
		if (x->hold != HOLD_NO)
			str_addf(&s, "    held (%s): %s\n", hold_words[x->hold], x->hold_why);
	}
	for (size_t i = 0; i < p->n_notes; i++)
		str_addf(&s, "note (%s) %s: %s\n", types[p->notes[i].type], p->notes[i].subject,
			 p->notes[i].text);
	if (p->n == 0 && !p->refusal)
		str_add(&s, "nothing to do\n");
	return str_take(&s);
}

static void load_fakes(const struct facts *f)
{
	fake_net_load(facts_get(f, "net"));
	fake_lvm_load(facts_get(f, "lvm"));
	fake_blk_load(facts_get(f, "disks"));
	fake_cache_load(facts_get(f, "cache"));
	fake_paths_load(facts_get(f, "paths"));
	fake_pci_load(facts_get(f, "pci"));
	fake_usb_load(facts_get(f, "usb"));
	fake_services_load(facts_get(f, "services"));
	fake_machine_load(facts_get(f, "machine"));
	fake_xen_load(facts_get(f, "xen"));
	fake_intent_load(facts_get(f, "intent"));
	fake_image_clear();
}

struct world {
	const struct manifest *manifest;
	const struct facts *first; /* as in facts.json */
	struct list paths; /* that the manifest names */
};

/* Facts of the host in memory, at the time and in the boot of the case's own. */
static struct facts *read_world(const struct world *w)
{
	struct facts *f = perform_read(all_readers, NULL, &w->paths, NULL);

	f->time = w->first->time;
	f->boot_id = w->first->boot_id;
	f->hostname = w->first->hostname;
	return f;
}

static struct plan *plan_world(const struct world *w, struct facts **ret_facts)
{
	*ret_facts = read_world(w);
	return plan_make(w->manifest, *ret_facts,
			 &(struct plan_options){.allowed = IMPACT_GUEST_RECREATE});
}

/* One apply; what failed is added to `errors`. */
static void apply_world(const struct world *w, struct str *errors)
{
	struct facts *f;
	struct plan *p = plan_world(w, &f);
	struct run run;
	size_t i;

	run_init(&run, p, 1);
	while ((i = run_pick(&run)) != SIZE_MAX) {
		_cleanup_err_ struct err e = {0};
		json_object *request = perform_request(p, i, w->manifest);
		int r = perform_step(request, all_kinds, all_readers, NULL, NULL, NULL, &e);

		if (r < 0)
			str_addf(errors, "%s: %s\n", p->steps[i].id, e.message);
		json_object_put(request);
		run_finish(&run, i, r);
	}
	run_done(&run);
	plan_free(p);
	facts_free(f);
}

/* Steps that would be done now: held ones may stay for ever. */
static size_t left_to_do(const struct world *w, struct str *text)
{
	struct facts *f;
	struct plan *p = plan_world(w, &f);
	_cleanup_(freep) char *t = plan_text(p);
	size_t n = plan_todo(p);

	if (n)
		str_add(text, t);
	plan_free(p);
	facts_free(f);
	return n;
}

/* What libxl was asked for, where the case says what that is to be. */
static void check_asked(const char *dir, const char *name)
{
	_cleanup_(freep) char *asked = fake_xen_asked(), *wanted = NULL;
	_cleanup_(freep) char *path = xasprintf("%s/libxl.txt", dir);
	_cleanup_err_ struct err e = {0};

	if (access(path, F_OK) < 0)
		return;
	if (getenv("GOLDEN_UPDATE"))
		(void)file_write(path, asked, strlen(asked), 0644, NULL);
	if (file_read(path, 1u << 20, &wanted, NULL, &e) < 0)
		result(false, name, "asks libxl for what libxl.txt says", e.message);
	else
		result(*asked && streq(asked, wanted), name, "asks libxl for what libxl.txt says",
		       asked);
}

static void check_fixpoint(const char *dir, const char *name, const struct world *w)
{
	_cleanup_str_ struct str why = {0};

	load_fakes(w->first);
	fail_at = -1;
	calls = 0;
	free(fake_xen_asked()); /* of the case before */
	apply_world(w, &why);
	check_asked(dir, name);
	result(why.n == 0, name, "applies without a failure", str_get(&why));
	str_done(&why);
	result(left_to_do(w, &why) == 0, name, "planning again gives nothing", str_get(&why));
}

/* GOLDEN_DUMP=FILE: the facts after the apply, from which a further case can be made. */
static void dump_world(const struct world *w)
{
	const char *path = getenv("GOLDEN_DUMP");
	struct facts *f = path ? read_world(w) : NULL;
	json_object *json = f ? facts_to_json(f) : NULL;

	if (json)
		json_object_to_file_ext(path, json, JSON_C_TO_STRING_PRETTY);
	json_object_put(json);
	facts_free(f);
}

static void check_failures(const char *name, const struct world *w)
{
	long total;

	load_fakes(w->first);
	fail_at = -1;
	calls = 0;
	{
		_cleanup_str_ struct str ignored = {0};

		apply_world(w, &ignored);
	}
	total = MIN_OF(calls, (long)CALLS_MAX);
	for (long n = 0; n < total; n++) {
		_cleanup_str_ struct str errors = {0}, why = {0};
		_cleanup_(freep) char *what = NULL;
		size_t left = 1;

		load_fakes(w->first);
		fail_at = n;
		calls = 0;
		failed_op[0] = '\0';
		apply_world(w, &errors);
		if (!failed_op[0])
			continue; /* an earlier failure took another way */
		fail_at = -1;
		for (int round = 0; round < ROUNDS && left; round++) {
			str_done(&why);
			apply_world(w, &why);
			left = left_to_do(w, &why);
		}
		what = xasprintf("call %ld, %s, fails: converges all the same", n, failed_op);
		result(left == 0, name, what, str_get(&why));
	}
}

static int load_facts(const char *path, struct facts **ret, struct err *e)
{
	_cleanup_(freep) char *text = NULL;
	json_object *json;
	size_t n;
	int r = file_read(path, 16u << 20, &text, &n, e);

	if (r < 0)
		return r;
	json = json_parse(text, n, e);
	if (!json)
		return -EINVAL;
	r = facts_from_json(json, all_readers, ret, e);
	json_object_put(json);
	return r;
}

/* The case's boot is this machine's, for steps read the boot's id anew; its intents move along. */
static void adopt_boot(struct facts *f)
{
	const struct intent_facts *intents = facts_get(f, "intent");
	static const char *const nothing[] = {NULL};
	struct facts *here = perform_read(all_readers, nothing, NULL, NULL);
	const char *boot = arena_strdup(f->arena, here->boot_id);

	for (size_t i = 0; intents && i < intents->domains.n; i++) {
		struct intent_domain *d = intents->domains.entries[i].value;

		if (streq(d->boot_id, f->boot_id))
			d->boot_id = boot;
	}
	for (size_t i = 0; intents && i < intents->saved.n; i++) {
		struct saved_domain *s = intents->saved.entries[i].value;

		if (streq(s->boot_id, f->boot_id))
			s->boot_id = boot;
	}
	f->boot_id = boot;
	facts_free(here);
}

static void check_plan(const char *dir, const char *name, const struct world *w)
{
	_cleanup_plan_ struct plan *p = NULL;
	_cleanup_(freep) char *text = NULL, *wanted = NULL;
	_cleanup_(freep) char *path = xasprintf("%s/plan.txt", dir);
	_cleanup_err_ struct err e = {0};

	p = plan_make(w->manifest, w->first, &(struct plan_options){.allowed = IMPACT_LIVE});
	text = plan_text(p);
	if (getenv("GOLDEN_UPDATE"))
		(void)file_write(path, text, strlen(text), 0644, NULL);
	if (file_read(path, 1u << 20, &wanted, NULL, &e) < 0) {
		result(false, name, "plans as plan.txt says", e.message);
		return;
	}
	result(streq(text, wanted), name, "plans as plan.txt says", text);
}

/* Where the case has a file from-top, its manifest's folder is the tree's, so that it can include what is there. */
static struct manifest *load_manifest(const char *dir, const char *path, const struct facts *f,
				      struct diags *d)
{
	struct who who = facts_who(f);
	_cleanup_(freep) char *top = xasprintf("%s/from-top", dir), *text = NULL;
	_cleanup_(freep) char *here = realpath(".", NULL);
	_cleanup_err_ struct err e = {0};
	size_t n;

	if (access(top, F_OK) < 0)
		return manifest_load(path, &who, all_kinds, d);
	if (!here || file_read(path, 1u << 20, &text, &n, &e) < 0)
		return NULL;
	return manifest_load_text(path, here, text, n, NULL, &who, all_kinds, d);
}

static void check_case(const char *dir)
{
	const char *name = strrchr(dir, '/') && strrchr(dir, '/')[1] ? strrchr(dir, '/') + 1 : dir;
	_cleanup_(freep) char *manifest = xasprintf("%s/manifest.yaml", dir);
	_cleanup_(freep) char *facts = xasprintf("%s/facts.json", dir);
	_cleanup_(freep) char *once = xasprintf("%s/plan-only", dir);
	_cleanup_diags_ struct diags *d = diags_new();
	_cleanup_facts_ struct facts *f = NULL;
	_cleanup_err_ struct err e = {0};
	struct world w = {0};

	if (load_facts(facts, &f, &e) < 0) {
		result(false, name, "the facts are sound", e.message);
		return;
	}
	w.manifest = load_manifest(dir, manifest, f, d);
	if (!w.manifest) {
		diags_print(d, stdout, false);
		result(false, name, "the manifest is sound", NULL);
		return;
	}
	adopt_boot(f);
	observe_paths(w.manifest->arena, w.manifest, &w.paths);
	w.first = f;
	check_plan(dir, name, &w);
	/* Refused plans, unknown readings and facts of another kind of host are planned only. */
	if (access(once, F_OK) == 0)
		return;
	check_fixpoint(dir, name, &w);
	dump_world(&w);
	check_failures(name, &w);
}

int main(int argc, char **argv)
{
	glob_t all = {0};

	for (int i = 1; i < argc; i++)
		check_case(argv[i]);
	/* Without arguments: all there are, seen from the top of the tree. */
	if (argc == 1 && glob("agent/tests/golden/*/manifest.yaml", 0, NULL, &all) == 0) {
		for (size_t i = 0; i < all.gl_pathc; i++) {
			*strrchr(all.gl_pathv[i], '/') = '\0';
			check_case(all.gl_pathv[i]);
		}
		globfree(&all);
	}
	printf("1..%u\n", n_tests);
	return n_failed ? 1 : 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor status: what is, beside what should be.
 */
#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "agent/client.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/loop.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/upgrade.h"
#include "engine/planner.h"
#include "engine/store.h"
#include "host/save.h"
#include "kinds/domain.h"
#include "kinds/kinds.h"
#include "kinds/net_facts.h"
#include "kinds/storage.h"
#include "kinds/volume.h"
#include "model/record_json.h"
#include "model/step_json.h"

struct status {
	const struct options *o;
	struct arena *arena;
	struct manifest *manifest; /* NULL: none, or a bad one */
	bool in_force;             /* that is the one in force, whatever its file says by now */
	struct facts *facts;
	struct survey survey;
	struct plan *plan;
	json_object *agent; /* NULL: none runs */
};

static const char *size(struct status *s, uint64_t bytes)
{
	char buf[NUM_TEXT];

	return arena_strdup(s->arena, num_size(buf, bytes));
}

static const char *age(struct status *s, int64_t since)
{
	char buf[NUM_TEXT];

	return arena_strdup(s->arena,
			    num_age(buf, (uint64_t)MAX_OF(s->facts->time - since, (int64_t)0)));
}

static size_t kind_index(const struct kind *k)
{
	size_t i = 0;

	while (all_kinds[i] && all_kinds[i] != k)
		i++;
	return i;
}

/* What the plan says of it, in a few words; NULL when it is as it should be. */
static const char *drift(struct status *s, const struct kind *k, const char *name)
{
	const char *text = NULL;

	for (size_t i = 0; s->plan && i < s->plan->n; i++) {
		const struct step *p = &s->plan->steps[i];
		const char *why =
			p->hold == HOLD_CONFLICT || p->hold == HOLD_UNKNOWN || p->hold == HOLD_WAIT
				? p->hold_why
				: p->why;

		if (p->kind != k || !streq(p->name, name))
			continue;
		if (!why)
			why = action_words[p->action];
		text = text ? arena_printf(s->arena, "%s; %s", text, why) : why;
	}
	return text;
}

static const char *behind(struct status *s, const struct resource *domain)
{
	for (size_t i = 0; domain && i < domain->n_needs; i++) {
		const struct resource *v = domain->needs[i];

		if (v->kind == &kind_volume && volume_behind(s->facts, v))
			return arena_printf(s->arena, "behind: %s comes from an older file",
					    v->name);
	}
	return NULL;
}

static const char *join(struct status *s, const char *a, const char *b)
{
	return a && b ? arena_printf(s->arena, "%s; %s", a, b) : a ? a : b;
}

/* A step of its is under way: what it is just now is nothing to worry about. */
static bool is_under_way(const struct status *s, const struct kind *k, const char *name)
{
	json_object *list = json_list(s->agent, "under_way");

	for (size_t i = 0; i < json_length(list); i++) {
		json_object *o = json_object_array_get_idx(list, i);

		if (streq(json_text(o, "kind"), k->name) && streq(json_text(o, "name"), name))
			return true;
	}
	return false;
}

/* Apart from what stands above it. */
static void print_table(struct libscols_table *t)
{
	if (!scols_table_is_empty(t))
		printf("\n");
	table_print(t);
}

static void print_domains(struct status *s)
{
	static const struct table_column columns[] = {
		{"DOMAIN", false}, {"STATE", false}, {"TYPE", false}, {"MEMORY", false},
		{"VCPUS", false}, {"UPTIME", true}, {"ID", true}, {"DRIFT", false},
	};
	const struct actuals *l = &s->survey.kinds[kind_index(&kind_domain)];
	struct libscols_table *t = table_new(columns, ARRAY_SIZE(columns), s->o->noheadings);

	for (size_t i = 0; i < l->n; i++) {
		const struct actual *a = &l->list[i];
		const struct domain *d = a->record;
		const struct resource *want =
			a->foreign ? NULL : manifest_find(s->manifest, "domain", a->name);
		bool busy = !a->foreign && is_under_way(s, &kind_domain, a->name);
		const char *note = a->foreign && a->note ? drift(s, &kind_domain, a->name)
				   : a->foreign
					   ? "foreign: left alone"
					   : join(s, busy ? NULL : drift(s, &kind_domain, a->name),
						  behind(s, want));
		const char *cells[] = {
			a->name,
			!a->half_made ? a->state : busy ? "starting" : "half-made",
			field_is_set(&domain_table, d, "type") ? xen_type_words[d->type] : NULL,
			d->maxmem ? arena_printf(s->arena, "%s/%s", size(s, d->memory),
						 size(s, d->maxmem))
				  : size(s, d->memory),
			arena_printf(s->arena, "%lld/%lld", (long long)d->vcpus,
				     (long long)d->maxvcpus),
			d->started ? age(s, d->started) : NULL,
			arena_printf(s->arena, "%lld", (long long)d->domid),
			join(s, note, busy || a->half_made ? NULL : a->note),
		};

		table_row(t, ARRAY_SIZE(cells), cells);
	}
	for (size_t i = 0; i < s->manifest->n_resources; i++) {
		const struct resource *r = s->manifest->resources[i];
		const struct actual *foreign = survey_find(&s->survey, r->kind, r->name, true);
		const struct domain *d = r->record;
		const char *rest;

		if (r->kind != &kind_domain || s->survey.unknown[kind_index(&kind_domain)] ||
		    survey_find(&s->survey, r->kind, r->name, false) || (foreign && foreign->note))
			continue;
		rest = domain_rest(s->arena, s->facts, r);
		{
			const char *cells[] = {
				r->name, domain_absent_word(s->facts, r), xen_type_words[d->type],
				size(s, d->memory), arena_printf(s->arena, "%lld",
								 (long long)d->vcpus),
				NULL, NULL,
				join(s, rest, join(s, drift(s, &kind_domain, r->name),
						   behind(s, r))),
			};

			table_row(t, ARRAY_SIZE(cells), cells);
		}
	}
	print_table(t);
}

static const char *percent(struct status *s, int64_t hundredths)
{
	return hundredths < 0 ? NULL
			      : arena_printf(s->arena, "%lld %%", (long long)(hundredths / 100));
}

static void print_pools(struct status *s)
{
	static const struct table_column columns[] = {
		{"POOL", false}, {"SIZE", true}, {"DATA", true}, {"METADATA", true},
		{"CLONES", true}, {"OVERCOMMIT", true}, {"DRIFT", false},
	};
	const struct actuals *l = &s->survey.kinds[kind_index(&kind_storage)];
	struct libscols_table *t = table_new(columns, ARRAY_SIZE(columns), s->o->noheadings);

	for (size_t i = 0; i < l->n; i++) {
		const struct actual *a = &l->list[i];
		const struct storage *st = a->record;
		uint64_t tenths = st->pool_size ? st->pool_virtual * 10 / st->pool_size : 0;
		const char *cells[] = {
			arena_printf(s->arena, "%s/%s", a->name, STORAGE_POOL),
			size(s, st->pool_size),
			percent(s, st->data_percent),
			percent(s, st->metadata_percent),
			arena_printf(s->arena, "%lld", (long long)st->clones),
			arena_printf(s->arena, "%llu.%llu×", (unsigned long long)(tenths / 10),
				     (unsigned long long)(tenths % 10)),
			drift(s, &kind_storage, a->name),
		};

		if (a->foreign)
			continue;
		table_row(t, ARRAY_SIZE(cells), cells);
	}
	print_table(t);
}

static const char *words(struct status *s, const struct list *l)
{
	const char *text = NULL;

	for (size_t i = 0; i < l->n; i++)
		text = text ? arena_printf(s->arena, "%s, %s", text, (char *)l->items[i])
			    : l->items[i];
	return text;
}

/* The domains whose interfaces are on that bridge. */
static const char *guests(struct status *s, const char *bridge)
{
	const struct xen_facts *x = xen_facts(s->facts);
	const char *text = NULL;

	for (size_t i = 0; x && i < x->domains.n; i++) {
		const struct xen_domain *d = x->domains.items[i];
		bool on = false;

		for (size_t j = 0; j < d->nics.n; j++)
			on |= streq(((struct xen_nic *)d->nics.items[j])->bridge, bridge);
		if (on && d->name)
			text = text ? arena_printf(s->arena, "%s, %s", text, d->name) : d->name;
	}
	return text;
}

static void print_bridges(struct status *s)
{
	static const struct table_column columns[] = {
		{"BRIDGE", false}, {"ADDRESS", false}, {"PORTS", false}, {"GUESTS", false},
		{"DRIFT", false},
	};
	const struct actuals *l = &s->survey.kinds[kind_index(&kind_bridge)];
	struct libscols_table *t = table_new(columns, ARRAY_SIZE(columns), s->o->noheadings);

	for (size_t i = 0; i < l->n; i++) {
		const struct actual *a = &l->list[i];
		const struct bridge *b = a->record;
		const char *cells[] = {
			a->name, words(s, &b->addresses), words(s, &b->devices),
			guests(s, a->name), drift(s, &kind_bridge, a->name),
		};

		if (a->foreign)
			continue;
		table_row(t, ARRAY_SIZE(cells), cells);
	}
	print_table(t);
}

/* How long ago that was. */
static const char *since(char buf[NUM_TEXT], int64_t then)
{
	return num_age(buf, (uint64_t)MAX_OF(time(NULL) - then, (int64_t)0));
}

/* A watched file that the agent does not go by. */
static void print_not_in_force(struct status *s)
{
	json_object *bad = json_member(s->agent, "not_in_force", json_type_object);
	const char *name = json_text(s->agent, "file"), *sha256 = json_text(s->agent, "sha256");
	char buf[NUM_TEXT];

	if (!bad)
		return;
	printf("NOT IN FORCE: %s is %s since %s: %s\n", json_text(bad, "file"),
	       json_text(bad, "result"), since(buf, json_int(bad, "since")),
	       json_text(bad, "text"));
	if (sha256 && !s->in_force)
		printf("in force is %s (sha256 %.8s…)\n", name, sha256);
}

/* What any run of the agent's is at, and for how long. */
static void print_under_way(struct status *s)
{
	json_object *list = json_list(s->agent, "under_way");
	char buf[NUM_TEXT];

	for (size_t i = 0; i < json_length(list); i++) {
		json_object *o = json_object_array_get_idx(list, i);
		const char *text = json_text(o, "text");
		int64_t done = json_int(o, "done"), total = json_int(o, "total");

		printf("under way: %s/%s  %s", json_text(o, "kind"), json_text(o, "name"),
		       text ? text : json_text(o, "action"));
		if (total)
			printf(" %lld %% of %s", (long long)(done * 100 / total),
			       num_size(buf, (uint64_t)total));
		printf(", for %s\n", num_age(buf, (uint64_t)json_real(o, "seconds")));
	}
}

/* What no converging mends; NULL: nothing. xenstored is never restarted: what guests and backends agreed
 * on lived in its memory alone. */
static const char *degraded(struct status *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/xenstored/socket"};
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (xen_facts(s->facts) || access("/proc/xen/xsd_port", F_OK) < 0 || fd < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
	    (errno != ENOENT && errno != ECONNREFUSED))
		return NULL;
	return "xenstored has died: guests run on, but none can be changed, stopped or made; "
	       "shut them down from within and reboot the host";
}

/* enum converge_result, for people. */
static const char *how_it_ended(const char *result)
{
	static const struct {
		const char *result, *text;
	} words[] = {
		{"converged", "all was done"},
		{"nothing", "nothing was to be done"},
		{"pending", "done but for what waits"},
		{"failed", "not all could be done"},
		{"refused", "the plan was refused"},
		{"bad", "the manifest was bad"},
		{"stopped", "it was stopped"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (streq(words[i].result, result))
			return words[i].text;
	return result;
}

/* ", in force for 3h"; "" where it isn't. */
static const char *in_force_for(struct status *s)
{
	int64_t then = s->in_force ? store_since() : 0;
	char buf[NUM_TEXT];

	return then ? arena_printf(s->arena, ", in force for %s", since(buf, then)) : "";
}

static void print_head(struct status *s)
{
	const struct xen_facts *x = xen_facts(s->facts);
	char buf[NUM_TEXT];
	size_t unknown = 0;

	for (size_t i = 0; s->plan && i < s->plan->n; i++)
		unknown += step_unknown(&s->plan->steps[i]);
	printf("%s  ", s->plan ? s->plan->host : s->facts->hostname);
	if (s->manifest)
		printf("%sas the manifest %ssays: %s (sha256 %.8s…%s)",
		       !s->plan->n             ? ""
		       : s->plan->n == unknown ? "not known whether "
					       : "NOT ",
		       s->in_force && json_member(s->agent, "not_in_force", json_type_object)
			       ? "in force "
			       : "",
		       s->manifest->source.name, s->manifest->sha256, in_force_for(s));
	else
		printf("no manifest");
	if (x)
		printf("  Xen %s  dom0 %s, %s free", x->version ? x->version : "?",
		       size(s, x->dom0_memory), size(s, x->memory_free));
	printf("\n");
	if (!s->agent)
		printf("agent: not running (systemctl start manor)\n");
	else if (json_text(s->agent, "result"))
		printf("agent: last run %s ago: %s\n", since(buf, json_int(s->agent, "time")),
		       how_it_ended(json_text(s->agent, "result")));
	else
		printf("agent: running, has not ended a run yet\n");
	upgrade_print(stdout);
	if (degraded(s))
		printf("DEGRADED: %s\n", degraded(s));
	print_not_in_force(s);
	print_under_way(s);
}

/* Why the last try failed, in the agent's words; NULL: it didn't, or nobody tried. */
static const char *failure(const struct status *s, const struct step *p)
{
	json_object *steps = json_list(s->agent, "steps");

	for (size_t i = 0; i < json_length(steps); i++) {
		json_object *o = json_object_array_get_idx(steps, i);

		if (streq(json_text(o, "state"), "failed") &&
		    streq(json_text(o, "kind"), p->kind->name) &&
		    streq(json_text(o, "name"), p->name))
			return json_text(json_member(o, "error", json_type_object), "message");
	}
	return NULL;
}

/* Of domains that the manifest has no more: nobody restores them, and their disks are theirs still. */
static void print_saved_strays(struct status *s)
{
	const struct intent_facts *all = intent_facts(s->facts);

	for (size_t i = 0; all && i < all->saved.n; i++) {
		const char *name = all->saved.entries[i].name;

		if (((struct saved_domain *)all->saved.entries[i].value)->whole &&
		    !manifest_find(s->manifest, "domain", name))
			printf("domain/%s: saved, and not in the manifest: add it, or remove %s\n",
			       name, save_path(s->arena, name));
	}
}

static void print_unknown(struct status *s)
{
	bool told = false;

	for (size_t i = 0; s->plan && i < s->plan->n; i++) {
		const struct step *p = &s->plan->steps[i];

		if (!step_unknown(p))
			continue;
		if (!told)
			printf("\nUnknown:\n");
		told = true;
		printf("  %s/%s  %s\n", p->kind->name, p->name, p->hold_why);
	}
	for (size_t i = 0; i < s->facts->n; i++)
		if (!s->facts->readings[i].known)
			printf("NOT KNOWN %s: %s\n", s->facts->readings[i].reader->name,
			       s->facts->readings[i].why);
}

static void print_rest(struct status *s)
{
	bool told = false;

	for (size_t i = 0; s->plan && i < s->plan->n; i++) {
		const struct step *p = &s->plan->steps[i];

		if (step_unknown(p) || is_under_way(s, p->kind, p->name))
			continue;
		if (!told)
			printf("\nNot as it should be (see `manor plan`):\n");
		told = true;
		printf("  %s/%s  %s%s%s%s\n", p->kind->name, p->name,
		       p->why ? p->why : action_words[p->action], p->hold_why ? " (" : "",
		       p->hold_why ? p->hold_why : "", p->hold_why ? ")" : "");
		if (failure(s, p))
			printf("    failed when it was last tried: %s\n", failure(s, p));
	}
	print_unknown(s);
	print_saved_strays(s);
	for (size_t i = 0; s->plan && i < s->plan->n_notes; i++)
		if (s->plan->notes[i].type == NOTE_WARNING || s->plan->notes[i].type == NOTE_KEPT)
			printf("%s: %s\n", s->plan->notes[i].subject, s->plan->notes[i].text);
}

static json_object *actuals_json(struct status *s, const struct kind *k)
{
	const struct actuals *l = &s->survey.kinds[kind_index(k)];
	json_object *o = json_object_new_object();

	for (size_t i = 0; i < l->n; i++) {
		const struct actual *a = &l->list[i];
		json_object *x = record_to_json(k->table, a->record, false);
		const char *note = drift(s, k, a->name);

		json_object_object_add(x, "foreign", json_object_new_boolean(a->foreign));
		if (a->half_made)
			json_object_object_add(x, "half_made", json_object_new_boolean(true));
		json_put_text(x, "state", a->state);
		if (note && !a->foreign)
			json_put_text(x, "drift", note);
		json_object_object_add(o, a->name, x);
	}
	return o;
}

static void print_status_json(struct status *s)
{
	json_object *o = json_object_new_object(), *appliance = upgrade_json();

	json_put_text(o, "host", s->plan ? s->plan->host : s->facts->hostname);
	json_put_text(o, "degraded", degraded(s));
	if (appliance)
		json_object_object_add(o, "appliance", appliance);
	if (s->manifest) {
		json_put_text(o, "manifest", s->manifest->source.name);
		json_put_text(o, "sha256", s->manifest->sha256);
		if (s->in_force && store_since())
			json_object_object_add(o, "since", json_object_new_int64(store_since()));
		json_object_object_add(o, "converged", json_object_new_boolean(s->plan->n == 0));
		for (size_t i = 0; all_kinds[i]; i++)
			json_object_object_add(o, all_kinds[i]->name,
					       actuals_json(s, all_kinds[i]));
		json_object_object_add(o, "plan", plan_to_json(s->plan));
	}
	json_object_object_add(o, "agent", s->agent ? json_object_get(s->agent) : NULL);
	print_json(o);
}

static int open_manifest(struct status *s)
{
	if (!s->o->file)
		s->manifest = session_in_force();
	s->in_force = s->manifest != NULL;
	if (!s->manifest)
		s->manifest = manifest_open(s->o);
	return s->manifest ? 0 : -1;
}

int verb_status(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "noheadings", NULL};
	struct options o;
	struct status s = {.o = &o};
	int r = options_read(argc, argv, accepts, &o, NULL);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	if (open_manifest(&s) < 0)
		return EXIT_BAD;
	s.arena = arena_new();
	s.agent = client_status();
	s.facts = facts_now(s.manifest);
	r = EXIT_FAILED;
	if (s.facts) {
		survey_make(s.arena, s.manifest, s.facts, &s.survey);
		s.plan = plan_make(s.manifest, s.facts,
				   &(struct plan_options){.allowed = IMPACT_LIVE});
		r = EXIT_FINE;
		if (o.json) {
			print_status_json(&s);
		} else {
			/* What is in the way comes first: the console has few lines. */
			print_head(&s);
			print_rest(&s);
			print_domains(&s);
			print_pools(&s);
			print_bridges(&s);
		}
	}
	plan_free(s.plan);
	facts_free(s.facts);
	manifest_free(s.manifest);
	json_object_put(s.agent);
	arena_free(s.arena);
	return r;
}

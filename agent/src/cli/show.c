/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Plans and progress as text.
 */
#include "cli/show.h"

#include <time.h>

#include "base/index.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/cli.h"
#include "model/plan.h"

#define BOLD   "\033[1m"
#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define DIM    "\033[2m"
#define PLAIN  "\033[0m"

static const char *paint(const struct show *s, const char *colour)
{
	return s->colour ? colour : "";
}

/* Columns that a person sees: characters, not bytes. */
static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void pad(const char *text, size_t to)
{
	size_t n = width(text);

	printf("%s%*s", text, n < to ? (int)(to - n) : 0, "");
}

static char *upper(const char *s)
{
	char *p = xstrdup(s);

	for (char *c = p; *c; c++)
		*c = *c == '-' ? ' ' : (char)((*c >= 'a' && *c <= 'z') ? *c - 32 : *c);
	return p;
}

static const char *sign(const char *action)
{
	if (streq(action, "create") || streq(action, "start") || streq(action, "restore"))
		return "+";
	if (streq(action, "remove") || streq(action, "stop") || streq(action, "settle") ||
	    streq(action, "save") || streq(action, "forget"))
		return "-";
	return "~";
}

/* As step_unknown(), of a step in JSON. */
static bool is_unknown(json_object *step)
{
	return streq(json_text(step, "hold"), "unknown") &&
	       streq(json_text(step, "action"), "update") &&
	       json_length(json_list(step, "changes")) == 0;
}

static int impact_of(const char *word)
{
	return MAX_OF(word_find(impact_words, word), 0);
}

static void show_step(struct show *s, json_object *step, size_t id_width)
{
	const char *action = json_text(step, "action"), *why = json_text(step, "why"),
		   *hold = json_text(step, "hold");
	const char *impact = json_text(step, "impact"), *loses = json_text(step, "loses");
	_cleanup_(freep) char *id =
		xasprintf("%s/%s", json_text(step, "kind"), json_text(step, "name"));
	const char *mark = is_unknown(step) ? "?"
			   : hold && (streq(hold, "conflict") || streq(hold, "unknown"))
				   ? "!"
				   : sign(action);
	const char *colour = *mark == '!'   ? RED
			     : *mark == '+' ? GREEN
			     : *mark == '-' ? RED
					    : YELLOW;
	char size[NUM_TEXT];

	printf("  %s%s%s ", paint(s, colour), mark, paint(s, PLAIN));
	pad(id, id_width);
	printf("  ");
	if (*mark == '?') {
		printf("unknown: %s\n", json_text(step, "hold_why"));
		return;
	}
	if (loses) {
		_cleanup_(freep) char *loud = upper(loses);

		printf("%sLOSES %s%s; ", paint(s, BOLD), loud, paint(s, PLAIN));
	}
	printf("%s", why ? why : action);
	if (json_int(step, "bytes"))
		printf(", %s", num_size(size, (uint64_t)json_int(step, "bytes")));
	if (impact_of(impact) > IMPACT_LIVE) {
		_cleanup_(freep) char *loud = upper(impact);

		printf("  %s%s%s", paint(s, BOLD), loud, paint(s, PLAIN));
	} else if (streq(action, "update")) {
		printf("  %s%s%s", paint(s, DIM), impact, paint(s, PLAIN));
	}
	if (hold)
		printf("  (%s: %s)", streq(hold, "wait") ? "waits" : "held",
		       json_text(step, "hold_why") ? json_text(step, "hold_why") : hold);
	printf("\n");
}

/* `differ` of `all` do, and of `unknown` that isn't known. */
static void show_tally(const char *host, size_t differ, size_t unknown, size_t all,
		       const char *file)
{
	printf("manor: %s: ", host);
	if (differ)
		printf("%zu of %zu resources differ from %s", differ, all, file);
	if (differ && unknown)
		printf(", %zu unknown", unknown);
	else if (unknown)
		printf("%zu of %zu resources unknown", unknown, all);
	if (!differ && unknown < all)
		printf(", the others are as %s says", file);
	printf("\n\n");
}

static void show_notes(struct show *s, json_object *plan)
{
	json_object *notes = json_list(plan, "notes");
	_cleanup_str_ struct str foreign = {0};

	for (size_t i = 0; i < json_length(notes); i++) {
		json_object *n = json_object_array_get_idx(notes, i);
		const char *type = json_text(n, "type");

		if (streq(type, "foreign"))
			str_addf(&foreign, "%s%s", foreign.n ? ", " : "", json_text(n, "subject"));
		else
			printf("  %s%s%s: %s\n", streq(type, "unknown") ? "NOT KNOWN " : "", "",
			       json_text(n, "subject"), json_text(n, "text"));
	}
	if (foreign.n)
		printf("%sUnmanaged here, left alone: %s%s\n", paint(s, DIM), str_get(&foreign),
		       paint(s, PLAIN));
}

/* Not seen before: several steps may be about one resource. */
static bool is_new(struct arena *a, struct index *seen, json_object *step)
{
	const char *kind = json_text(step, "kind"), *name = json_text(step, "name");

	if (index_first(seen, kind, name))
		return false;
	index_add(a, seen, kind, name, step);
	return true;
}

void show_plan(struct show *s, json_object *plan, bool in_force)
{
	json_object *steps = json_list(plan, "steps");
	size_t id_width = 0, adds = 0, changes = 0, removes = 0, differ = 0, held = 0, unknown = 0;
	size_t gone = 0; /* what the manifest doesn't count */
	const char *file = s->file ? s->file : "the manifest in force";
	int hardest = 0, hardest_todo = 0, hardest_held = -1;
	_cleanup_arena_ struct arena *a = arena_new();
	struct index seen = {0};

	for (size_t i = 0; i < json_length(steps); i++) {
		json_object *step = json_object_array_get_idx(steps, i);
		_cleanup_(freep) char *id =
			xasprintf("%s/%s", json_text(step, "kind"), json_text(step, "name"));
		const char *mark = sign(json_text(step, "action"));
		int impact = impact_of(json_text(step, "impact"));

		id_width = MAX_OF(id_width, width(id));
		if (is_unknown(step)) {
			unknown++;
			continue;
		}
		adds += *mark == '+';
		changes += *mark == '~';
		removes += *mark == '-';
		if (is_new(a, &seen, step)) {
			differ++;
			gone += streq(json_text(step, "action"), "remove") ||
				streq(json_text(step, "action"), "forget");
		}
		hardest = MAX_OF(hardest, impact);
		if (!json_text(step, "hold"))
			hardest_todo = MAX_OF(hardest_todo, impact);
		held += json_text(step, "hold") != NULL;
		/* A kind may hold what no leave would get done: a volume is never shrunk. */
		if (streq(json_text(step, "hold"), "impact") &&
		    startswith(json_text(step, "hold_why"), "not allowed"))
			hardest_held = MAX_OF(hardest_held, impact);
	}
	if (in_force)
		printf("%s is bad; going by the manifest in force\n", file);
	if (json_length(steps) == 0 && json_text(plan, "refusal"))
		return;
	if (json_length(steps) == 0) {
		printf("manor: %s: nothing to do: all %lld resources are as %s says\n",
		       json_text(plan, "host"), (long long)json_int(plan, "resources"), file);
	} else {
		show_tally(json_text(plan, "host"), differ, unknown,
			   (size_t)json_int(plan, "resources") + gone, file);
		for (size_t i = 0; i < json_length(steps); i++)
			show_step(s, json_object_array_get_idx(steps, i), id_width);
		printf("\n%zu to add, %zu to change, %zu to remove", adds, changes, removes);
		if (held)
			printf(", of which %zu held", held);
		if (unknown)
			printf(", %zu unknown", unknown);
		printf(".");
		if (hardest > IMPACT_LIVE)
			printf(" Hardest: %s%s.", impact_words[hardest],
			       hardest == hardest_todo ? " (allowed)" : " (held)");
		printf("\n");
		if (hardest_held >= 0)
			printf("Not allowed yet: say --allow %s to have it done too.\n",
			       impact_words[hardest_held]);
	}
	show_notes(s, plan);
	fflush(stdout);
}

static void clear_line(struct show *s)
{
	if (s->pending) {
		printf("\r\033[K");
		s->pending = 0;
	}
}

void show_transfer(struct str *s, uint64_t done, uint64_t total, double seconds)
{
	char text[NUM_TEXT];
	/* From a second on, when it means something. */
	double speed = seconds >= 1 ? (double)done / seconds : 0;

	if (total > 0)
		str_addf(s, " %u %% of %s", (unsigned)((double)done / (double)total * 100),
			 num_size(text, total));
	else if (done > 0)
		str_addf(s, " %s", num_size(text, done));
	if (speed >= 1)
		str_addf(s, ", %s/s", num_size(text, (uint64_t)speed));
	if (speed >= 1 && total > done)
		str_addf(s, ", %s left",
			 num_age(text, (uint64_t)((double)(total - done) / speed) + 1));
}

/* What a person asked for by name and got, in a line: "web: running again". */
static void show_done_by_name(struct show *s, json_object *e)
{
	static const char *const words[] = {
		[ACTION_RESTART] = "restarted", [ACTION_START] = "running",
		[ACTION_STOP] = "stopped",      [ACTION_PAUSE] = "paused",
		[ACTION_RESUME] = "running again",
	};
	const char *text = json_text(e, "text"), *why = json_text(e, "why");
	int action = word_find(action_words, json_text(e, "action"));
	const char *word = action >= 0 && action < (int)ARRAY_SIZE(words) ? words[action] : NULL;
	/* The person knows that. */
	bool asked = streq(text, why) && why && strstr(why, "by hand");

	s->told = true;
	printf("%s: %s", json_text(e, "name"), word ? word : text ? text : json_text(e, "action"));
	if (word && text && !asked)
		printf(": %s", text);
	printf("\n");
}

static bool is_by_name(const struct show *s, json_object *e)
{
	size_t n = strlen(json_text(e, "kind"));

	return startswith(s->by_name, json_text(e, "kind")) && s->by_name[n] == '/' &&
	       streq(s->by_name + n + 1, json_text(e, "name"));
}

static void show_step_event(struct show *s, json_object *e)
{
	const char *state = json_text(e, "state"), *text = json_text(e, "text");
	_cleanup_(freep) char *id = xasprintf("%s/%s", json_text(e, "kind"), json_text(e, "name"));
	int64_t done = json_int(e, "done"), total = json_int(e, "total");
	_cleanup_str_ struct str far = {0};
	const char *error = json_text(json_member(e, "error", json_type_object), "rendered");

	if (streq(state, "running")) {
		if (!s->terminal)
			return; /* plain lines say how a step ended, and that it began is of no use */
		clear_line(s);
		printf("  … ");
		pad(id, 24);
		printf(" %s", text ? text : json_text(e, "action"));
		show_transfer(&far, (uint64_t)done, (uint64_t)total, json_real(e, "seconds"));
		printf("%s %.1fs", str_get(&far), json_real(e, "seconds"));
		s->pending = 1;
		fflush(stdout);
		return;
	}
	clear_line(s);
	if (s->by_name && streq(state, "done")) {
		if (is_by_name(s, e))
			show_done_by_name(s, e);
	} else if (streq(state, "done")) {
		printf("%s✔%s ", paint(s, GREEN), paint(s, PLAIN));
		pad(id, 24);
		printf(" %s  %.1fs\n", text ? text : json_text(e, "action"),
		       json_real(e, "seconds"));
	} else if (streq(state, "failed")) {
		printf("%s✘%s ", paint(s, RED), paint(s, PLAIN));
		pad(id, 24);
		printf(" failed: %s\n", json_text(e, "action"));
	} else if (!s->plan_only) {
		printf("- ");
		pad(id, 24);
		printf(" %s: %s\n", state, text ? text : "");
	}
	if (error) {
		fflush(stdout);
		fprintf(stderr, "%s", error);
	}
	fflush(stdout);
}

/* Nothing was done of it: what there is to be said instead. */
static void show_nothing_by_name(struct show *s)
{
	json_object *notes = json_list(s->plan, "notes");
	const char *name = strchr(s->by_name, '/') + 1;

	for (size_t i = 0; i < json_length(notes); i++) {
		json_object *n = json_object_array_get_idx(notes, i);

		if (!streq(json_text(n, "subject"), s->by_name))
			continue;
		printf("%s: %s\n", name, json_text(n, "text"));
		return;
	}
	printf("%s: nothing to do: it is as asked for\n", name);
}

/* What was asked for by name is done, and of the rest there is no more than what takes leave, which no such verb gives. */
static bool is_done_by_name(const struct show *s, const char *result)
{
	if (!s->by_name ||
	    !(streq(result, "converged") || streq(result, "nothing") || streq(result, "pending")))
		return false;
	for (size_t i = 0; i < json_length(s->held); i++)
		if (!streq(json_text(json_object_array_get_idx(s->held, i), "hold"), "impact"))
			return false;
	return true;
}

static void show_end(struct show *s, json_object *e)
{
	static const struct {
		const char *word;
		int code;
	} codes[] = {
		{"converged", EXIT_FINE},  {"nothing", EXIT_FINE},        {"changes", EXIT_CHANGES},
		{"pending", EXIT_CHANGES}, {"failed", EXIT_FAILED},       {"refused", EXIT_FAILED},
		{"bad", EXIT_BAD},         {"stopped", EXIT_INTERRUPTED}, {"declined", EXIT_FAILED},
	};
	const char *result = json_text(e, "result"), *host = json_text(e, "host");
	int64_t done = json_int(e, "done");

	s->ended = true;
	s->exit_code = EXIT_FAILED;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (streq(codes[i].word, result))
			s->exit_code = codes[i].code;
	if (is_done_by_name(s, result))
		s->exit_code = EXIT_FINE;
	if (s->json)
		return;
	clear_line(s);
	if (is_done_by_name(s, result)) {
		if (!s->told)
			show_nothing_by_name(s);
		return;
	}
	for (size_t i = 0; i < json_length(s->held); i++)
		show_step_event(s, json_object_array_get_idx(s->held, i));
	if (streq(result, "refused")) {
		fflush(stdout);
		fprintf(stderr, "manor: refused: %s\n", json_text(e, "text"));
		if (json_text(s->plan, "refusal_help"))
			fprintf(stderr, "help: %s\n", json_text(s->plan, "refusal_help"));
	} else if (streq(result, "failed") && json_text(e, "text")) {
		fprintf(stderr, "manor: %s\n", json_text(e, "text"));
	} else if (s->plan_only || streq(result, "bad")) {
		return;
	} else if (streq(result, "nothing")) {
		if (s->quiet_plan)
			printf("%s: nothing to do.\n", host);
	} else if (streq(result, "declined") ||
		   (streq(result, "stopped") && !json_object_object_get_ex(e, "done", NULL))) {
		printf("Nothing was done.\n");
	} else {
		/* Stopped before it was observed, the host has no name yet. */
		printf("%s %s: %lld step%s done", host ? host : "manor:",
		       streq(result, "converged") ? "converged"
		       : streq(result, "stopped") ? "stopped, not converged"
						  : "not converged",
		       (long long)done, done == 1 ? "" : "s");
		if (json_int(e, "failed"))
			printf(", %lld failed", (long long)json_int(e, "failed"));
		if (json_int(e, "skipped"))
			printf(", %lld skipped", (long long)json_int(e, "skipped"));
		if (json_int(e, "held"))
			printf(", %lld held", (long long)json_int(e, "held"));
		printf(", %.1fs.\n", json_real(e, "seconds"));
		if (streq(result, "failed") || streq(result, "stopped"))
			printf("Run `manor apply` again %s.\n",
			       streq(result, "stopped") ? "to go on" : "when the cause is mended");
	}
}

void show_event(struct show *s, json_object *e)
{
	const char *word = json_text(e, "event"), *text = json_text(e, "text");
	json_object *v;

	if (streq(word, "plan") && json_object_object_get_ex(e, "plan", &v)) {
		json_object_put(s->plan);
		s->plan = json_object_get(v);
	}
	if (s->json) {
		/* `plan --format json` is the plan; a bad manifest is its diagnostics; apply tells all. */
		if (s->plan_only && streq(word, "plan"))
			print_json(json_object_get(s->plan));
		else if (streq(word, "diagnostics") && json_object_object_get_ex(e, "list", &v))
			print_json(json_object_get(v));
		else if (!s->plan_only)
			printf("%s\n",
			       json_object_to_json_string_ext(
				       e, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
		fflush(stdout);
	}
	if (s->by_name && streq(word, "step") && streq(json_text(e, "state"), "held")) {
		s->held = s->held ? s->held : json_object_new_array();
		json_object_array_add(s->held, json_object_get(e));
		return;
	}
	if (streq(word, "end"))
		show_end(s, e);
	if (streq(word, "confirm"))
		s->asked = true;
	if (s->json)
		return;
	if (streq(word, "diagnostics"))
		fputs(text ? text : "", stderr);
	else if (streq(word, "waiting"))
		fprintf(stderr, "manor: waiting: %s\n", text ? text : "");
	else if (streq(word, "plan") && !s->quiet_plan)
		show_plan(s, s->plan, json_flag(e, "in_force"));
	else if (streq(word, "step"))
		show_step_event(s, e);
}

void show_done(struct show *s)
{
	clear_line(s);
	json_object_put(s->plan);
	json_object_put(s->held);
	s->plan = s->held = NULL;
}

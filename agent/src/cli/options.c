/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Options that verbs share, and finding and opening the manifest.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "base/num.h"
#include "cli/cli.h"
#include "engine/observe.h"
#include "host/trial.h"
#include "kinds/kinds.h"

enum {
	OPT_FORMAT = 256,
	OPT_FACTS,
	OPT_ALLOW,
	OPT_ONLY,
	OPT_TIMEOUT,
	OPT_NOHEADINGS,
	OPT_OLDER_THAN,
	OPT_EXPIRED,
	OPT_FORCE,
	OPT_LIVE,
	OPT_DISK,
	OPT_STORAGE,
	OPT_MEMBER,
	OPT_TYPE,
	OPT_SHA256,
	OPT_BOOT,
	OPT_NAMESPACE,
	OPT_DISCARD_SAVED,
	OPT_ONCE,
	OPT_HOST,
	OPT_KEY,
	OPT_CA,
	OPT_FROM,
	OPT_INTERFACE,
	OPT_NETWORK,
	OPT_RANGE,
	OPT_MAC,
	OPT_DOWNGRADE,
	OPT_RETRY,
	OPT_NO_REBOOT,
	OPT_SETTINGS,
	OPT_WITHIN,
	OPT_ERASE,
	OPT_STATE_SIZE,
	OPT_IMAGE,
	OPT_GROW,
	OPT_UNATTENDED,
};

static const struct option all[] = {
	{"file", required_argument, NULL, 'f'},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"facts", required_argument, NULL, OPT_FACTS},
	{"yes", no_argument, NULL, 'y'},
	{"allow", required_argument, NULL, OPT_ALLOW},
	{"only", required_argument, NULL, OPT_ONLY},
	{"jobs", required_argument, NULL, 'j'},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"noheadings", no_argument, NULL, OPT_NOHEADINGS},
	{"older-than", required_argument, NULL, OPT_OLDER_THAN},
	{"expired", no_argument, NULL, OPT_EXPIRED},
	{"dry-run", no_argument, NULL, 'n'},
	{"output", required_argument, NULL, 'o'},
	{"force", no_argument, NULL, OPT_FORCE},
	{"live", no_argument, NULL, OPT_LIVE},
	{"disk", required_argument, NULL, OPT_DISK},
	{"storage", required_argument, NULL, OPT_STORAGE},
	{"member", required_argument, NULL, OPT_MEMBER},
	{"type", required_argument, NULL, OPT_TYPE},
	{"sha256", required_argument, NULL, OPT_SHA256},
	{"boot", no_argument, NULL, OPT_BOOT},
	{"namespace", required_argument, NULL, OPT_NAMESPACE},
	{"discard-saved", no_argument, NULL, OPT_DISCARD_SAVED},
	{"once", no_argument, NULL, OPT_ONCE},
	{"host", required_argument, NULL, OPT_HOST},
	{"key", required_argument, NULL, OPT_KEY},
	{"ca", required_argument, NULL, OPT_CA},
	{"from", required_argument, NULL, OPT_FROM},
	{"interface", required_argument, NULL, OPT_INTERFACE},
	{"network", required_argument, NULL, OPT_NETWORK},
	{"range", required_argument, NULL, OPT_RANGE},
	{"mac", required_argument, NULL, OPT_MAC},
	{"downgrade", no_argument, NULL, OPT_DOWNGRADE},
	{"retry", no_argument, NULL, OPT_RETRY},
	{"no-reboot", no_argument, NULL, OPT_NO_REBOOT},
	{"settings", no_argument, NULL, OPT_SETTINGS},
	{"within", required_argument, NULL, OPT_WITHIN},
	{"erase", required_argument, NULL, OPT_ERASE},
	{"state-size", required_argument, NULL, OPT_STATE_SIZE},
	{"image", required_argument, NULL, OPT_IMAGE},
	{"grow", required_argument, NULL, OPT_GROW},
	{"unattended", no_argument, NULL, OPT_UNATTENDED},
	{"help", no_argument, NULL, 'h'},
};

static bool listed(const char *const *accepts, const char *name)
{
	return word_find(accepts, name) >= 0 || streq(name, "help");
}

static int bad(const char *verb, const char *text, const char *value)
{
	fprintf(stderr, "manor %s: %s%s; see `manor help %s`\n", verb, text, value, verb);
	return EXIT_BAD;
}

static int take(const char *verb, int c, struct options *o)
{
	uint64_t seconds;

	switch (c) {
	case 'f':
		o->file = optarg;
		return 0;
	case OPT_FORMAT:
		if (!streq(optarg, "text") && !streq(optarg, "json"))
			return bad(verb, "--format takes text or json, not ", optarg);
		o->json = streq(optarg, "json");
		o->text = !o->json;
		return 0;
	case OPT_FACTS:
		o->facts = optarg;
		return 0;
	case 'y':
		o->yes = true;
		return 0;
	case OPT_ALLOW:
		if (word_find(impact_words, optarg) < 0)
			return bad(verb,
				   "--allow takes live, guest-restart, guest-recreate, "
				   "host-reboot or data-loss, not ",
				   optarg);
		o->allow = optarg;
		return 0;
	case OPT_ONLY:
		if (word_find(impact_words, optarg) < 0 && !strchr(optarg, '/'))
			return bad(verb, "--only takes an impact or kind/name, not ", optarg);
		o->only = optarg;
		return 0;
	case 'j':
		if (num_parse_int(optarg, 1, 1024, &o->jobs) < 0)
			return bad(verb, "--jobs takes a number from 1 to 1024, not ", optarg);
		return 0;
	case OPT_TIMEOUT:
		if (num_parse_duration(optarg, &seconds) < 0 || seconds > 86400)
			return bad(verb, "--timeout takes a time such as 90s, not ", optarg);
		o->timeout = (int64_t)seconds;
		return 0;
	case OPT_OLDER_THAN:
		if (num_parse_duration(optarg, &seconds) < 0 || seconds > INT64_MAX / 2)
			return bad(verb, "--older-than takes an age such as 7d, not ", optarg);
		o->older_than = (int64_t)seconds;
		return 0;
	case OPT_EXPIRED:
		o->expired = true;
		return 0;
	case 'n':
		o->dry_run = true;
		return 0;
	case OPT_NOHEADINGS:
		o->noheadings = true;
		return 0;
	case 'o':
		o->output = optarg;
		return 0;
	case OPT_FORCE:
		o->force = true;
		return 0;
	case OPT_LIVE:
		o->live = true;
		return 0;
	case OPT_DISK:
		o->disk = optarg;
		return 0;
	case OPT_STORAGE:
		o->storage = optarg;
		return 0;
	case OPT_MEMBER:
		o->member = optarg;
		return 0;
	case OPT_TYPE:
		o->type = optarg;
		return 0;
	case OPT_SHA256:
		o->sha256 = optarg;
		return 0;
	case OPT_BOOT:
		o->boot = true;
		return 0;
	case OPT_NAMESPACE:
		o->namespace = optarg;
		return 0;
	case OPT_DISCARD_SAVED:
		o->discard_saved = true;
		return 0;
	case OPT_ONCE:
		o->once = true;
		return 0;
	case OPT_HOST:
		o->host = optarg;
		return 0;
	case OPT_KEY:
		o->key = optarg;
		return 0;
	case OPT_CA:
		o->ca = optarg;
		return 0;
	case OPT_FROM:
		o->from = optarg;
		return 0;
	case OPT_INTERFACE:
		o->interface = optarg;
		return 0;
	case OPT_NETWORK:
		o->network = optarg;
		return 0;
	case OPT_RANGE:
		o->range = optarg;
		return 0;
	case OPT_MAC:
		o->mac = optarg;
		return 0;
	case OPT_DOWNGRADE:
		o->downgrade = true;
		return 0;
	case OPT_RETRY:
		o->retry = true;
		return 0;
	case OPT_NO_REBOOT:
		o->no_reboot = true;
		return 0;
	case OPT_SETTINGS:
		o->settings = true;
		return 0;
	case OPT_WITHIN:
		if (num_parse_duration(optarg, &seconds) < 0 || seconds < TRIAL_WITHIN_MIN ||
		    seconds > TRIAL_WITHIN_MAX)
			return bad(verb, "--within takes a time from 1m to 24h, not ", optarg);
		o->within = (int64_t)seconds;
		return 0;
	case OPT_ERASE:
		o->erase = optarg;
		return 0;
	case OPT_STATE_SIZE:
		if (num_parse_size(optarg, &o->state_size) < 0 || !o->state_size)
			return bad(verb, "--state-size takes a size such as 4GiB, not ", optarg);
		return 0;
	case OPT_IMAGE:
		o->image = optarg;
		return 0;
	case OPT_UNATTENDED:
		o->unattended = true;
		return 0;
	case OPT_GROW:
		o->grow = optarg;
		return 0;
	default:
		return bad(verb, "unknown option", "");
	}
}

/* As no-color.org has it: set, and not to nothing. */
static bool no_color(void)
{
	const char *value = getenv("NO_COLOR");

	return value && *value;
}

int options_read(int argc, char **argv, const char *const *accepts, struct options *ret,
		 int *ret_rest)
{
	struct option some[ARRAY_SIZE(all) + 1] = {0};
	struct options o = {.timeout = -1, .older_than = -1};
	char shorts[32] = "h";
	size_t n = 0;
	int c, r;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (!listed(accepts, all[i].name))
			continue;
		some[n++] = all[i];
		if (all[i].val < 256 && all[i].val != 'h')
			snprintf(shorts + strlen(shorts), sizeof(shorts) - strlen(shorts), "%c%s",
				 all[i].val, all[i].has_arg ? ":" : "");
	}
	optind = 1;
	while ((c = getopt_long(argc, argv, shorts, some, NULL)) != -1) {
		char word[] = "help";
		char *help[] = {word, argv[0], NULL};

		if (c == 'h') {
			verb_help(2, help);
			return -1;
		}
		if (c == '?') {
			fprintf(stderr, "see `manor help %s`\n", argv[0]);
			return EXIT_BAD;
		}
		r = take(argv[0], c, &o);
		if (r)
			return r;
	}
	if (argc > optind && !listed(accepts, "operands")) {
		fprintf(stderr, "manor %s: takes no operand ('%s'); see `manor help %s`\n", argv[0],
			argv[optind], argv[0]);
		return EXIT_BAD;
	}
	o.colour = isatty(STDOUT_FILENO) && !no_color();
	o.colour_err = isatty(STDERR_FILENO) && !no_color();
	*ret = o;
	if (ret_rest)
		*ret_rest = optind;
	return 0;
}

const char *manifest_path(const struct options *o)
{
	static const char *const places[] = {"/etc/manor/appliance.yaml", "appliance.yaml"};

	if (o->file)
		return o->file;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], F_OK) == 0)
			return places[i];
	fprintf(stderr, "manor: no manifest: looked for /etc/manor/appliance.yaml and "
			"./appliance.yaml; name one with -f FILE\n");
	return NULL;
}

struct who who_of(const char *host)
{
	static struct facts *here; /* a machine stays what it is */
	struct who who;

	if (!here)
		here = observe_machine(all_readers);
	who = facts_who(here);
	who.host = host;
	return who;
}

struct manifest *manifest_open(const struct options *o)
{
	struct who who = who_of(o->host);

	return manifest_open_for(o, &who);
}

struct manifest *manifest_open_for(const struct options *o, const struct who *who)
{
	const char *path = manifest_path(o);
	struct diags *d;
	struct manifest *m;

	if (!path)
		return NULL;
	d = diags_new();
	m = manifest_load(path, who, all_kinds, d);
	diags_sort(d);
	if (o->json && !m)
		print_json(diags_json(d));
	else
		diags_print(d, stderr, o->colour_err);
	if (!m)
		diags_free(d);
	return m;
}

void print_json(json_object *json)
{
	printf("%s\n", json_object_to_json_string_ext(
			       json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
					     JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(json);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which host of a manifest for many this is. Two that one machine could be are an error as soon as that can be known: where
 * they have a condition in common and none that keeps them apart.
 */
#include "conf/select.h"

#include <errno.h>

#include "base/str.h"

#define MACS_MAX  64
#define NAMES_MAX 8 /* that a message lists */

static int parse_serial(struct decode *c, const struct field *f, const char *text, const char **ret,
			struct err *e)
{
	if (machine_is_filler(text))
		return err_set(e, -EINVAL,
			       "a serial number: it is what makers leave there, on any machine");
	return parse_text(c, f, text, ret, e);
}

static int parse_machine_uuid(struct decode *c, const struct field *f, const char *text,
			      const char **ret, struct err *e)
{
	char uuid[UUID_TEXT];
	int r = machine_uuid_parse(text, uuid);

	if (r == -ENODATA)
		return err_set(e, -EINVAL,
			       "a machine's UUID: it is what makers leave there, on any machine");
	if (r < 0)
		return err_set(e, -EINVAL, "a UUID: 32 hex digits, with hyphens or without");
	*ret = arena_strdup(c->arena, uuid);
	return 0;
}

TABLE(host_match_table, host_match, "match",
      "What tells the machine from the others: one of these, or several that must all hold.",
      {.name = "mac", .type = FIELD_LIST, .offset = FIELD_AT(host_match, mac), .parse = parse_mac,
       .flags = FIELD_CONFIG | FIELD_UNORDERED | FIELD_ALONE,
       .doc = "the MAC address that one of its network cards was made with; of several, one that it has is enough"},
      {.name = "serial", .type = FIELD_STRING, .offset = FIELD_AT(host_match, serial),
       .parse = parse_serial, .flags = FIELD_CONFIG,
       .doc = "the system's serial number by SMBIOS, as dmidecode -s system-serial-number tells it"},
      {.name = "uuid", .type = FIELD_STRING, .offset = FIELD_AT(host_match, uuid),
       .parse = parse_machine_uuid, .flags = FIELD_CONFIG,
       .doc = "the system's UUID by SMBIOS, as dmidecode -s system-uuid tells it"});

TABLE(host_part_table, host_part, "host part",
      "A host of several, by its name: which machine it is, and what is otherwise there than in the rest of the file.",
      {.name = "match", .type = FIELD_SUB, .offset = FIELD_AT(host_part, match),
       .sub = &host_match_table, .flags = FIELD_REQUIRED | FIELD_CONFIG,
       .doc = "which machine it is; each condition that is given must hold"});

static bool shares_mac(const struct host_match *a, const struct list *macs, size_t *ret_item)
{
	for (size_t i = 0; i < a->mac.n; i++) {
		if (!list_has(macs, a->mac.items[i]))
			continue;
		if (ret_item)
			*ret_item = i;
		return true;
	}
	return false;
}

/* The condition that both have in common, where none keeps them apart: "mac"; its place in `a`'s. */
static const char *same_key(const struct host_match *a, const struct host_match *b,
			    struct span *ret_place)
{
	const char *same = NULL;
	size_t item = 0;

	if (a->mac.n && b->mac.n && shares_mac(a, &b->mac, &item)) {
		same = "mac";
		*ret_place = field_item_span(a, "mac", &a->mac, item);
	}
	if (a->serial && b->serial) {
		if (!streq(a->serial, b->serial))
			return NULL;
		if (!same)
			*ret_place = field_span(a, "serial");
		same = same ? same : "serial";
	}
	if (a->uuid && b->uuid) {
		if (!streq(a->uuid, b->uuid))
			return NULL;
		if (!same)
			*ret_place = field_span(a, "uuid");
		same = same ? same : "uuid";
	}
	/* Machines of one make may share a serial number, and be told by their cards. */
	if (a->mac.n && b->mac.n && !streq(same, "mac"))
		return NULL;
	return same;
}

static void check_unlike(struct decode *c, const struct list *others, struct host_part *part)
{
	for (size_t i = 0; i < others->n; i++) {
		const struct host_part *other = others->items[i];
		struct span here = {0}, there = {0};
		struct diag *g;
		const char *key;

		if (!other->sound)
			continue;
		key = same_key(&part->match, &other->match, &here);
		if (!key)
			continue;
		same_key(&other->match, &part->match, &there);
		g = diag_error(c->diags, "same-match", here,
			       "hosts '%s' and '%s' match the same %s", other->name, part->name,
			       key);
		diag_also(c->diags, g, there, "here too");
		part->sound = false;
		return;
	}
}

/* What one entry says, but for what belongs to the rest of the manifest. */
static void read_part(struct decode *c, struct node *key, struct node *value,
		      const struct table *fields, struct list *parts)
{
	const char *title = arena_printf(c->arena, "host '%.80s'", key->text);
	struct host_part *part = arena_alloc(c->arena, sizeof(*part));
	struct node *own;
	bool named = field_name(c, key);

	if (value->type != NODE_MAP) {
		struct diag *g = diag_error(c->diags, "wrong-type", node_span(value),
					    "%s is %s; it must be a mapping with 'match'", title,
					    node_type_word(value));

		field_suggest_keys(c, g, &host_part_table, value);
		return;
	}
	field_keys(c, fields, value, title);
	part->name = key->text;
	part->key = key;
	part->says = node_without(c->arena, value, "match");
	own = node_without(c->arena, value, "");
	own->n = 0;
	for (size_t i = 0; i < value->n; i++)
		if (streq(value->pairs[i].key->text, "match"))
			own->pairs[own->n++] = value->pairs[i];
	part->sound = field_decode(c, &host_part_table, own, title, part) == 0 && named;
	if (part->sound && !part->match.rec.given) {
		diag_error(c->diags, "match-empty", field_span(part, "match"),
			   "%s matches nothing: 'match' needs mac, serial or uuid", title);
		part->sound = false;
	}
	if (part->match.mac.n > MACS_MAX) {
		diag_error(c->diags, "too-many", field_span(&part->match, "mac"),
			   "'mac' of %s has %zu items; it must have at most %d", title,
			   part->match.mac.n, MACS_MAX);
		part->sound = false;
	}
	if (part->sound)
		check_unlike(c, parts, part);
	list_add(c->arena, parts, part);
}

void select_read(struct decode *c, const struct node *hosts, const struct table *fields,
		 struct list *ret)
{
	if (hosts->type != NODE_MAP && !node_is_null(hosts)) {
		diag_error(c->diags, "wrong-type", hosts->span,
			   "'hosts' is %s; it must be a mapping from names to hosts",
			   node_type_word(hosts));
		return;
	}
	/* What is left of a file whose hosts are commented out mustn't be any machine's. */
	if (hosts->n == 0) {
		struct diag *g =
			diag_error(c->diags, "no-hosts", node_span(hosts), "'hosts' names no host");

		diag_help(c->diags, g, "a manifest for one host goes without the word");
		return;
	}
	for (size_t i = 0; i < hosts->n; i++) {
		if (i == HOSTS_MAX) {
			diag_error(c->diags, "too-many", hosts->pairs[i].key->span,
				   "more than %d hosts", HOSTS_MAX);
			return;
		}
		read_part(c, hosts->pairs[i].key, hosts->pairs[i].value, fields, ret);
	}
}

static bool matches(const struct host_match *m, const struct machine *is)
{
	return (!m->mac.n || shares_mac(m, &is->macs, NULL)) &&
	       (!m->serial || streq(m->serial, is->serial)) &&
	       (!m->uuid || streq(m->uuid, is->uuid));
}

static const char *names_text(struct arena *a, const struct list *parts)
{
	_cleanup_str_ struct str s = {0};

	for (size_t i = 0; i < parts->n && i < NAMES_MAX; i++)
		str_addf(&s, "%s%.80s", i ? ", " : "",
			 ((const struct host_part *)parts->items[i])->name);
	if (parts->n > NAMES_MAX)
		str_add(&s, ", …");
	return arena_strdup(a, str_get(&s));
}

static const struct host_part *by_name(struct decode *c, struct span place,
				       const struct list *parts, const char *name)
{
	const char *names[HOSTS_MAX];
	struct diag *g;
	size_t n = 0;

	for (size_t i = 0; i < parts->n; i++) {
		const struct host_part *part = parts->items[i];

		if (streq(part->name, name))
			return part;
		if (n < HOSTS_MAX)
			names[n++] = part->name;
	}
	g = diag_error(c->diags, "unknown-host", place, "there is no host '%.80s'", name);
	diag_suggest(c->diags, g, name, names, n);
	diag_help(c->diags, g, "there are: %s", names_text(c->arena, parts));
	return NULL;
}

static void nobody(struct decode *c, struct span place, const struct list *parts,
		   const struct who *who)
{
	struct diag *g;

	if (!who->machine) {
		g = diag_error(c->diags, "no-match", place,
			       "which of the hosts this machine is can't be told: %s",
			       who->unknown ? who->unknown : "nobody looked");
		diag_help(c->diags, g, "where that may be said, --host does: %s",
			  names_text(c->arena, parts));
		return;
	}
	g = diag_error(c->diags, "no-match", place, "this machine is none of them: %s",
		       machine_text(c->arena, who->machine));
	diag_help(c->diags, g,
		  "the host that it is to be needs a `match` by one of these; there are: %s",
		  names_text(c->arena, parts));
}

const struct host_part *select_part(struct decode *c, const struct node *root,
				    const struct list *parts, const struct who *who)
{
	struct span place = node_key(root, "hosts")->span;
	const struct host_part *found = NULL;

	if (who->host)
		return by_name(c, place, parts, who->host);
	for (size_t i = 0; who->machine && i < parts->n; i++) {
		const struct host_part *part = parts->items[i];
		struct diag *g;

		/* One that couldn't be read might be the one. */
		if (!part->sound)
			return NULL;
		if (!matches(&part->match, who->machine))
			continue;
		if (!found) {
			found = part;
			continue;
		}
		g = diag_error(c->diags, "several-match", field_span(part, "match"),
			       "this machine is both '%s' and '%s': %s", found->name, part->name,
			       machine_text(c->arena, who->machine));
		diag_also(c->diags, g, field_span(found, "match"), "matches too");
		diag_help(c->diags, g, "conditions that are added to a `match` must hold as well");
		return NULL;
	}
	if (!found)
		nobody(c, place, parts, who);
	return found;
}

void select_none(struct decode *c, const struct node *root, const struct who *who)
{
	struct diag *g = diag_error(
		c->diags, "no-hosts", root->n ? root->pairs[0].key->span : root->span,
		"the manifest is for one host: it has no host '%.80s' to choose", who->host);

	diag_help(c->diags, g, "without --host it is read as it is");
}

static struct node *scalar(struct arena *a, const char *text, struct span span)
{
	struct node *n = arena_alloc(a, sizeof(*n));

	n->type = NODE_SCALAR;
	n->text = text;
	n->span = span;
	return n;
}

static void add_pair(struct arena *a, struct node *map, struct node *key, struct node *value)
{
	struct node_pair *pairs = arena_alloc(a, (map->n + 1) * sizeof(*pairs));

	if (map->n)
		memcpy(pairs, map->pairs, map->n * sizeof(*pairs));
	value->key = key;
	pairs[map->n] = (struct node_pair){key, value};
	map->pairs = pairs;
	map->n++;
}

/* Its name, where it has none. A mapping that is the file's own isn't changed. */
static void give_name(struct arena *a, struct node *all, const struct host_part *part)
{
	struct span span = part->key->span;
	struct node *host = node_get(all, "host"), *own;

	if (host && !node_is_null(host) && (host->type != NODE_MAP || node_get(host, "name")))
		return;
	if (!field_name_ok(part->name))
		return; /* that was said */
	if (host && host->type == NODE_MAP) {
		own = node_without(a, host, "");
	} else {
		own = arena_alloc(a, sizeof(*own));
		own->type = NODE_MAP;
		own->span = span;
	}
	add_pair(a, own, scalar(a, "name", span), scalar(a, part->name, span));
	if (!host)
		add_pair(a, all, scalar(a, "host", span), own);
	for (size_t i = 0; host && i < all->n; i++)
		if (all->pairs[i].value == host)
			all->pairs[i].value = own;
}

struct node *select_merge(struct arena *a, struct node *root, const struct host_part *part)
{
	struct node *all = node_merge(a, node_without(a, root, "hosts"), part->says);

	/* It stands for the file. */
	all->span = root->span;
	all->key = NULL;
	give_name(a, all, part);
	return all;
}

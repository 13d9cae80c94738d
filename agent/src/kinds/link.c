/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Links: names for what the host has, found by MAC, place or name. Manor never makes or removes
 * one; it sets what the manifest says of it and leaves the rest.
 */
#include <errno.h>
#include <stdio.h>

#include "kinds/kinds.h"
#include "kinds/net_facts.h"

#define SHOWN_MAX 8 /* candidates named in a message */

#define ROW(s, m, t, ...)                                                                          \
	{                                                                                          \
		.name = #m, .type = t, .offset = FIELD_AT(s, m), __VA_ARGS__                       \
	}

TABLE(link_match_table, link_match, "match",
      "What tells the link from the others: one of these, or several that must all hold.",
      ROW(link_match, mac, FIELD_STRING, .parse = parse_mac, .flags = FIELD_CONFIG,
	  .doc = "the hardware's MAC address, or the one in use"),
      ROW(link_match, path, FIELD_STRING, .parse = parse_text, .flags = FIELD_CONFIG,
	  .doc = "where the hardware sits, as udev's ID_PATH: pci-0000:00:03.0"),
      ROW(link_match, name, FIELD_STRING, .parse = parse_ifname, .flags = FIELD_CONFIG,
	  .doc = "the kernel's name, which may change with an update: mac or path last longer"));

TABLE(link_table, link, "link",
      "Network devices of the host, each matched once; everything else uses the name given here.",
      ROW(link, match, FIELD_SUB, .sub = &link_match_table, .flags = FIELD_REQUIRED | FIELD_CONFIG,
	  .doc = "which device it is; none or several that match are an error"),
      ROW(link, mtu, FIELD_INT, .min = 68, .max = 65535, .impact = IMPACT_LIVE,
	  .doc = "largest packet, in bytes; left as it is when not given"),
      ROW(link, up, FIELD_BOOL, .impact = IMPACT_LIVE,
	  .doc = "whether it is brought up; left as it is when not given"),
      ROW(link, device, FIELD_STRING, .flags = FIELD_STATUS, .doc = "the host's name of it"),
      ROW(link, mac, FIELD_STRING, .flags = FIELD_STATUS, .doc = "MAC address in use"),
      ROW(link, path, FIELD_STRING, .flags = FIELD_STATUS, .doc = "where the hardware sits"),
      ROW(link, state, FIELD_STRING, .flags = FIELD_STATUS, .doc = "up, down, lowerlayerdown …"),
      ROW(link, addresses, FIELD_LIST, .flags = FIELD_STATUS, .doc = "its addresses"));

/* Guests' interfaces come and go, and a bridge is a kind of its own. */
static bool candidate(const struct net_link *l)
{
	return !streq(l->kind, "vif") && !streq(l->kind, "bridge");
}

/* Made on top of another link, with that one's MAC. */
static bool stacked(const struct net_link *l)
{
	static const char *const kinds[] = {"vlan",    "bond",   "team",  "macvlan",
					    "macvtap", "ipvlan", "macsec"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(l->kind, kinds[i]))
			return true;
	return false;
}

/* NULL: it matches; else what it has instead. `permanent`: by the hardware's MAC only. */
static const char *mismatch(struct arena *a, const struct net_link *l, const struct link_match *m,
			    bool permanent)
{
	const char *mac = permanent ? l->permanent_mac : l->mac;

	if (m->name && !streq(l->name, m->name))
		return "another name";
	if ((m->mac || m->path) && !m->name && stacked(l))
		return arena_printf(a, "a %s on top of another link", l->kind);
	if (m->mac && !streq(mac, m->mac))
		return mac ? arena_printf(a, "mac %s", mac) : "no mac";
	if (m->path && !streq(l->path, m->path))
		return l->path ? arena_printf(a, "path %s", l->path) : "no path";
	return NULL;
}

static const char *match_text(struct arena *a, const struct link_match *m)
{
	const char *text = NULL;
	const struct {
		const char *word, *value;
	} keys[] = {{"mac", m->mac}, {"path", m->path}, {"name", m->name}};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].value)
			text = arena_printf(a, "%s%s%s %s", text ? text : "", text ? " and " : "",
					    keys[i].word, keys[i].value);
	return text ? text : "nothing";
}

static const char *list_text(struct arena *a, const char *text, const char *item, size_t n)
{
	if (n > SHOWN_MAX)
		return text;
	if (n == SHOWN_MAX)
		return arena_printf(a, "%s …", text);
	return arena_printf(a, "%s%s%s", text, n ? ", " : "", item);
}

const struct net_link *link_resolve(struct arena *a, const struct net_facts *f,
				    const struct link_match *match, const char **ret_why)
{
	const struct net_link *found = NULL;
	const char *text = "";
	size_t n = 0;

	/* What the hardware says counts first: ports of a bond share the MAC in use. */
	for (int pass = match->mac ? 0 : 1; pass < 2 && n == 0; pass++) {
		for (size_t i = 0; i < f->links.n; i++) {
			const struct net_link *l = f->links.items[i];

			if (!candidate(l) || mismatch(a, l, match, pass == 0))
				continue;
			found = l;
			text = list_text(a, text, l->name, n++);
		}
	}
	if (n == 1)
		return found;
	if (n > 1) {
		if (ret_why)
			*ret_why = arena_printf(a,
						"%s matches %zu links: %s; add another key to "
						"match: mac, path or name",
						match_text(a, match), n, text);
		return NULL;
	}
	text = "";
	for (size_t i = 0; i < f->links.n; i++) {
		const struct net_link *l = f->links.items[i];
		const char *has;

		if (!candidate(l))
			continue;
		has = mismatch(a, l, match, l->permanent_mac != NULL);
		text = list_text(a, text, arena_printf(a, "%s (%s)", l->name, has ? has : "?"),
				 n++);
	}
	if (ret_why)
		*ret_why = n ? arena_printf(a, "no link has %s; there are %s", match_text(a, match),
					    text)
			     : arena_printf(a, "no link has %s; this host has none at all",
					    match_text(a, match));
	return NULL;
}

static void link_prepare(struct manifest *m, struct resource *r)
{
	const struct link *l = r->record;
	struct diag *g;

	if (!l->match.rec.node || l->match.rec.given || field_strange(&link_match_table, &l->match))
		return;
	g = diag_error(m->diags, "match-empty", field_span(l, "match"),
		       "link '%s' matches nothing: 'match' needs mac, path or name", r->name);
	diag_help(m->diags, g, "manor facts lists what this host has, under net");
}

static const char *same_key(const struct link_match *a, const struct link_match *b)
{
	if (a->mac && streq(a->mac, b->mac))
		return "mac";
	if (a->path && streq(a->path, b->path))
		return "path";
	return a->name && streq(a->name, b->name) ? "name" : NULL;
}

static void link_check(struct manifest *m)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];

		for (size_t j = 0; r->kind == &kind_link && j < i; j++) {
			const struct resource *other = m->resources[j];
			const struct link *x = r->record, *y = other->record;
			_cleanup_(freep) char *path = NULL;
			const char *key;
			struct diag *g;

			if (other->kind != &kind_link)
				continue;
			key = same_key(&x->match, &y->match);
			if (!key)
				continue;
			path = xasprintf("match.%s", key);
			g = diag_error(m->diags, "same-match", field_span(x, path),
				       "links '%s' and '%s' match the same %s", other->name,
				       r->name, key);
			diag_also(m->diags, g, field_span(y, path), "here too");
		}
	}
}

static void link_actual(struct arena *a, const struct facts *f, const struct manifest *m,
			struct actuals *ret)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct net_link *l;
		struct actual *x;
		struct link *rec;

		if (r->kind != &kind_link)
			continue;
		l = link_resolve(a, net_facts(f), &((const struct link *)r->record)->match, NULL);
		if (!l)
			continue;
		x = actual_add(a, ret, &kind_link, r->name);
		x->uuid = r->uuid;
		x->data = l;
		x->state = l->state;
		rec = x->record;
		rec->mtu = l->mtu;
		rec->up = l->up;
		rec->device = l->name;
		rec->mac = l->mac;
		rec->path = l->path;
		rec->state = l->state;
		for (size_t k = 0; k < l->addresses.n; k++)
			list_add(a, &rec->addresses,
				 (char *)((const struct net_address *)l->addresses.items[k])->cidr);
		for (size_t k = 0; k < link_table.n; k++) {
			const struct field *field = &link_table.fields[k];

			if (field->type == FIELD_STRING && !*(char **)field_ptr(field, rec))
				continue;
			if (field->type != FIELD_SUB)
				field_mark(&link_table, rec, field->name);
		}
	}
}

/* Another link of the manifest that turns out to be the same device, or NULL. */
static const char *also(const struct planning *p, const struct resource *want,
			const struct net_link *l)
{
	for (size_t i = 0; i < p->manifest->n_resources; i++) {
		const struct resource *r = p->manifest->resources[i];

		if (r->kind == &kind_link && r != want &&
		    link_resolve(p->arena, net_facts(p->facts),
				 &((const struct link *)r->record)->match, NULL) == l)
			return r->name;
	}
	return NULL;
}

static void link_decide(struct planning *p, const struct resource *want, const struct actual *have,
			struct step *step)
{
	const struct link *l;
	const char *why = NULL, *other;

	if (!want)
		return;
	l = want->record;
	if (!have) {
		link_resolve(p->arena, net_facts(p->facts), &l->match, &why);
		step->why = "not found";
		step_hold(step, HOLD_CONFLICT, why);
		return;
	}
	other = also(p, want, have->data);
	if (other && !step) {
		step = plan_add(p->plan, ACTION_UPDATE, &kind_link, want->name, want->uuid);
		step->impact = IMPACT_NONE;
		step->why = "not clear which link it is";
	}
	if (other)
		step_hold(step, HOLD_CONFLICT,
			  arena_printf(p->arena, "link '%s' matches %s as well", other,
				       ((const struct net_link *)have->data)->name));
	if (!step)
		return;
	step->timeout_s = 30;
	if (changes_has(&step->changes, "up") && !l->up &&
	    ((const struct net_link *)have->data)->default_route)
		step->loses = arena_printf(p->arena, "the default route, which goes through %s",
					   ((const struct net_link *)have->data)->name);
}

static int link_apply(struct work *w, struct err *e)
{
	const struct link *want = w->step->want_record;
	const struct net_link *l = w->now ? w->now->data : NULL;
	int r = 0;

	if (!l) {
		const char *why = "no such link";

		link_resolve(w->arena, net_facts(w->facts), &want->match, &why);
		err_at(e, "match");
		return err_set(e, -ENODEV, "%s", why);
	}
	if (field_is_set(&link_table, want, "mtu") && want->mtu != l->mtu) {
		r = net_link_mtu(l->name, want->mtu, e);
		if (r < 0)
			err_at(e, "mtu");
	}
	if (r >= 0 && field_is_set(&link_table, want, "up") && want->up != l->up) {
		r = net_link_up(l->name, want->up, e);
		if (r < 0)
			err_at(e, "up");
	}
	return r;
}

static const char *const readers[] = {"net", NULL};

const struct kind kind_link = {
	.name = "link",
	.section = "links",
	.table = &link_table,
	.readers = readers,
	.prepare = link_prepare,
	.check = link_check,
	.actual = link_actual,
	.decide = link_decide,
	.apply = link_apply,
};

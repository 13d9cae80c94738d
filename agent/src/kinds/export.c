/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The manifest around the domains that others made: what is in force, or head, links and bridges as the host has them.
 * A plan for it finds nothing to do: a bridge of others' is used as it is, and a domain of others' waits for
 * `manor adopt`.
 */
#include "kinds/export.h"

#include "base/num.h"
#include "kinds/bridge.h"
#include "kinds/domain_xl.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/net_facts.h"
#include "model/manifest_emit.h"

#define NAME_MAX_BYTES 63

struct exporting {
	struct arena *arena;
	const struct manifest *m; /* NULL: none is in force */
	const struct facts *facts;
	struct emit *out, *links, *bridges, *domains;
	struct xl_shared shared;
};

/* --- links and bridges --- */

/* By what lasts longest and leads to no other. */
static const char *link_name(struct exporting *x, const struct net_link *l)
{
	const struct net_facts *f = net_facts(x->facts);
	const char *name = domain_xl_name(x->arena, l->name, NAME_MAX_BYTES);
	const struct {
		const char *key, *value;
		struct link_match match;
	} ways[] = {
		{"mac", l->permanent_mac, {.mac = l->permanent_mac}},
		{"path", l->path, {.path = l->path}},
		{"mac", l->mac, {.mac = l->mac}},
		{"name", l->name, {.name = l->name}},
	};

	if (emit_has(x->links, name))
		return name;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct emit *match;

		if (!ways[i].value || link_resolve(x->arena, f, &ways[i].match, NULL) != l)
			continue;
		match = emit_map(emit_map(x->links, name), "match");
		emit_text(match, ways[i].key, ways[i].value);
		return name;
	}
	return NULL;
}

/* Of those that the manifest doesn't have. */
static bool has_guests(const struct exporting *x, const char *bridge)
{
	const struct xen_facts *xen = xen_facts(x->facts);

	for (size_t i = 0; xen && i < xen->domains.n; i++) {
		const struct xen_domain *d = xen->domains.items[i];

		for (size_t k = 0; !(x->m && d->mark_uuid) && k < d->nics.n; k++)
			if (streq(((const struct xen_nic *)d->nics.items[k])->bridge, bridge))
				return true;
	}
	return false;
}

static void bridge(struct exporting *x, const struct net_link *l)
{
	const struct net_facts *f = net_facts(x->facts);
	struct emit *out = emit_new(x->arena);
	bool ports = false;

	if (l->stp)
		emit_word(out, "stp", "true");
	/* Beside a manifest only what its domains' NICs need: what isn't said is left as it is. */
	if (x->m) {
		if (!emit_has(x->bridges, l->name) && has_guests(x, l->name))
			emit_put(x->bridges, l->name, out, false);
		return;
	}
	for (size_t i = 0; i < f->links.n; i++) {
		const struct net_link *port = f->links.items[i];
		const char *name;

		if (!streq(port->master, l->name) || bridge_guest_port(port))
			continue;
		name = link_name(x, port);
		if (name)
			emit_item(out, "ports", name);
		ports = true;
	}
	for (size_t i = 0; i < l->addresses.n; i++) {
		const struct net_address *a = l->addresses.items[i];

		if (a->origin == NET_STATIC)
			emit_item(out, "addresses", a->cidr);
	}
	/* What nobody here uses is another program's. */
	if (!ports && !has_guests(x, l->name))
		return;
	emit_put(x->bridges, l->name, out, false);
	if (net_mark(l))
		emit_note(
			x->bridges, l->name,
			"bears Manor's mark: a manifest of another namespace than its own is refused");
}

static void bridges(struct exporting *x)
{
	const struct net_facts *f = net_facts(x->facts);

	for (size_t i = 0; f && i < f->links.n; i++) {
		const struct net_link *l = f->links.items[i];

		if (streq(l->kind, "bridge") && field_name_ok(l->name) &&
		    !startswith(l->name, NET_TEMP))
			bridge(x, l);
	}
	if (!x->m && emit_has(x->out, "bridges"))
		emit_note(
			x->out, "bridges",
			"made by others, and used as they are: while they are there, and are as is "
			"said here, nothing is done to them");
}

/* --- storage and dom0, as comments --- */

static void storage(struct exporting *x)
{
	const struct lvm_facts *l = lvm_facts(x->facts);

	for (size_t i = 0; l && i < l->vgs.n; i++) {
		const struct lvm_vg *vg = l->vgs.items[i];
		char size[NUM_TEXT];

		emit_note(x->out, "storage", "volume group %s, %s: %s", vg->name,
			  num_size(size, vg->size),
			  lvm_tag_value(&vg->tags, TAG_ID)
				  ? "bears Manor's mark"
				  : arena_printf(x->arena,
						 "made by others; a guest can be given its volumes "
						 "by 'device: {path: /dev/%s/NAME}'",
						 vg->name));
	}
}

static void dom0(struct exporting *x)
{
	const struct xen_facts *xen = xen_facts(x->facts);

	if (xen && xen->dom0_memory)
		emit_note(
			x->out, "host",
			"dom0 has %llu MiB now; 'host: {dom0: {memory: %lluMiB}}' has a plan say so "
			"when that changes",
			(unsigned long long)(xen->dom0_memory >> 20),
			(unsigned long long)(xen->dom0_memory >> 20));
}

/* --- domains --- */

static bool is_taken(const struct exporting *x, const char *name)
{
	return emit_has(x->domains, name) || (x->m && manifest_find(x->m, "domain", name));
}

static const char *free_name(const struct exporting *x, const char *said)
{
	const char *name = domain_xl_name(x->arena, said, NAME_MAX_BYTES), *is = name;

	for (unsigned n = 2; is_taken(x, is); n++)
		is = arena_printf(x->arena, "%.50s-%u", name, n);
	return is;
}

/* One that bears marks is Manor's: of this manifest, or of one that isn't in force here. */
static bool is_told(struct exporting *x, const struct xen_domain *d)
{
	if (d->state == XEN_DYING)
		return true;
	if (!d->mark_uuid)
		return x->m && domain_counterpart(x->m, d);
	if (!x->m || !d->mark_name || !manifest_find(x->m, "domain", d->mark_name))
		emit_note(x->out, "domains",
			  "domain %lld, '%.63s', bears Manor's mark: its manifest isn't this one",
			  (long long)d->domid, d->mark_name ? d->mark_name : "?");
	return true;
}

static void domain(struct exporting *x, const struct xen_domain *d)
{
	const char *said =
		d->name ? d->name : arena_printf(x->arena, "domid-%lld", (long long)d->domid);
	struct domain_xl one = {
		.all = &x->shared,
		.arena = x->arena,
		.out = emit_new(x->arena),
		.usb = facts_get(x->facts, "usb"),
	};

	if (is_told(x, d))
		return;
	one.name = free_name(x, said);
	domain_export(&one, d);
	emit_put(x->domains, one.name, one.out, true);
	emit_note(x->domains, one.name,
		  "domain %lld%s, made by others: 'manor adopt domain/%s' takes it over as it runs",
		  (long long)d->domid,
		  streq(said, one.name) ? "" : arena_printf(x->arena, " ('%.63s')", said),
		  one.name);
}

const char *export_manifest(const struct manifest *m, const struct facts *f, const char *namespace,
			    struct diags *d)
{
	struct exporting x = {.arena = d->arena, .m = m, .facts = f, .out = emit_new(d->arena)};
	const struct xen_facts *xen = xen_facts(f);
	_cleanup_str_ struct str text = {0};

	if (m)
		manifest_emit(m, x.out);
	else
		xl_import_head(d->arena, x.out, namespace, f->hostname ? f->hostname : "");
	if (!m)
		dom0(&x);
	x.links = emit_tall(x.out, "links");
	x.bridges = emit_tall(x.out, "bridges");
	x.shared = (struct xl_shared){.arena = d->arena, .diags = d, .bridges = x.bridges};
	bridges(&x);
	if (!m)
		storage(&x);
	x.domains = emit_tall(x.out, "domains");
	for (size_t i = 0; xen && i < xen->domains.n; i++)
		domain(&x, xen->domains.items[i]);
	str_add(&text,
		"# This host, by 'manor export'. What has no counterpart is said in comments: read them, then "
		"run\n# 'manor check' and 'manor plan'.\n");
	emit_print(x.out, &text);
	return arena_strdup(d->arena, str_get(&text));
}

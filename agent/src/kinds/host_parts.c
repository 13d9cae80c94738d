/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kinds/host_parts.h"

#include "kinds/domain.h"
#include "kinds/kinds.h"
#include "kinds/net_facts.h"
#include "kinds/storage_device.h"

static const char *add(struct arena *a, const char *text, const char *word, const struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		text = arena_printf(a, "%s%s%s %s", text, *text ? ", " : "", word,
				    (const char *)l->items[i]);
	return text;
}

const char *host_parts(struct arena *a, const struct list *links, const struct list *disks)
{
	return add(a, add(a, "", "link", links), "disk", disks);
}

static const char *disk_needed(struct arena *a, const struct facts *f, const char *name)
{
	const struct blk_facts *all = facts_get(f, "disks");
	const char *why;

	for (size_t i = 0; all && i < all->disks.n; i++) {
		const struct blk_disk *b = all->disks.items[i];

		if (!streq(b->name, name) && !streq(b->parent, name))
			continue;
		/* A guest that has the disk as such counts as well. */
		if (b->holders.n)
			return arena_printf(a, "%s is in use by %s", b->path,
					    (const char *)b->holders.items[0]);
		if (!streq(b->name, name))
			continue;
		why = device_busy(a, f, b, false);
		if (why)
			return why;
	}
	return NULL;
}

/* "eth0", "eth0.5 (on eth0)" */
static const char *upon(struct arena *a, const struct net_link *l)
{
	return l->lower ? arena_printf(a, "%s (on %s)", l->name, l->lower) : l->name;
}

const char *host_needs(struct arena *a, const struct facts *f, const struct list *links,
		       const struct list *disks)
{
	const struct net_facts *net = net_facts(f);

	for (size_t i = 0; net && i < net->links.n; i++) {
		const struct net_link *l = net->links.items[i];

		if ((!l->default_route && !l->master) || !net_stands_on(net, l, links))
			continue;
		return l->default_route
			       ? arena_printf(a, "the default route goes through %s", upon(a, l))
			       : arena_printf(a, "%s is a port of %s", upon(a, l), l->master);
	}
	for (size_t i = 0; i < disks->n; i++) {
		const char *why = disk_needed(a, f, disks->items[i]);

		if (why)
			return why;
	}
	return NULL;
}

static bool is_behind(struct arena *a, const struct facts *f, const struct storage_device *want,
		      const struct list *disks)
{
	const char *why, *help;
	const struct blk_disk *disk =
		facts_get(f, "disks") ? device_pick(a, f, want, &why, &help) : NULL;

	return disk && list_has(disks, disk->name);
}

/* What else the manifest wants of them: a link, a storage's device; NULL: nothing. */
static const char *declared(struct arena *a, const struct facts *f, const struct manifest *m,
			    const struct list *links, const struct list *disks)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct net_link *l;
		const struct storage *s = r->record;
		const struct domain *g = r->record;

		if (r->kind == &kind_link && links->n && net_facts(f)) {
			l = link_resolve(a, net_facts(f), &((const struct link *)r->record)->match,
					 NULL);
			if (l && net_stands_on(net_facts(f), l, links))
				return arena_printf(a, "%s is the manifest's link '%s'", upon(a, l),
						    r->name);
		}
		for (size_t k = 0; r->kind == &kind_storage && k < s->devices.n; k++)
			if (is_behind(a, f, s->devices.items[k], disks))
				return arena_printf(a, "a device of storage '%s' is behind it",
						    r->name);
		for (size_t k = 0; r->kind == &kind_domain && k < g->disks.n; k++) {
			const struct domain_disk *disk = g->disks.entries[k].value;
			const struct storage_device *v = &disk->device;

			if ((v->serial || v->wwid || v->path || v->pci) &&
			    is_behind(a, f, v, disks))
				return arena_printf(a, "a disk of domain '%s' is behind it",
						    r->name);
		}
	}
	return NULL;
}

const char *host_keeps(struct planning *p, const char *title, const struct list *links,
		       const struct list *disks, enum hold *ret)
{
	struct arena *a = p->arena;
	const char *why;

	if (disks->n && facts_unknown(p->facts, "lvm")) {
		*ret = HOLD_UNKNOWN;
		return arena_printf(a, "whether a storage has what is behind it isn't known: %s",
				    facts_unknown(p->facts, "lvm"));
	}
	*ret = HOLD_CONFLICT;
	why = host_needs(a, p->facts, links, disks);
	if (!why)
		why = declared(a, p->facts, p->manifest, links, disks);
	return why ? arena_printf(a, "dom0 can't do without %s: %s", title, why) : NULL;
}

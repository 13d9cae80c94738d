/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kinds/pci_host.h"

#include "kinds/domain.h"
#include "kinds/kinds.h"
#include "kinds/net_facts.h"
#include "kinds/storage_device.h"

/* PCI's classes (PCI Code and ID Assignment), as far as people plug them in. The first that fits. */
static const struct {
	const char *type, *word;
} types[] = {
	{"0101", "IDE controller"},  {"0104", "RAID controller"}, {"0106", "SATA controller"},
	{"0107", "SAS controller"},  {"0108", "NVMe controller"}, {"01", "disk controller"},
	{"0200", "Ethernet controller"}, {"02", "network controller"}, {"03", "graphics card"},
	{"0403", "audio device"},    {"04", "multimedia device"}, {"05", "memory controller"},
	{"0600", "host bridge"},     {"0601", "ISA bridge"},      {"0604", "PCI bridge"},
	{"06", "bridge"},            {"0700", "serial port"},     {"07", "communication controller"},
	{"08", "system device"},     {"0c03", "USB controller"},  {"0c05", "SMBus controller"},
	{"0c", "serial bus controller"}, {"0d", "wireless controller"}, {"12", "accelerator"},
};

const char *pci_host_title(struct arena *a, const struct pci_device *d)
{
	const char *word = "device";

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!startswith(d->type, types[i].type))
			continue;
		word = types[i].word;
		break;
	}
	return arena_printf(a, "%s %s", word, d->id);
}

bool pci_host_fixed(const struct pci_device *d)
{
	return startswith(d->type, "06") || startswith(d->type, "08");
}

static const char *add(struct arena *a, const char *text, const char *word, const struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		text = arena_printf(a, "%s%s%s %s", text, *text ? ", " : "", word,
				    (const char *)l->items[i]);
	return text;
}

const char *pci_host_parts(struct arena *a, const struct pci_device *d)
{
	return add(a, add(a, "", "link", &d->links), "disk", &d->disks);
}

const char *pci_host_use(struct arena *a, const struct pci_device *d)
{
	const char *parts = pci_host_parts(a, d);

	return arena_printf(a, "driver %s%s%s", d->driver, *parts ? ", " : "", parts);
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

const char *pci_host_needs(struct arena *a, const struct facts *f, const struct pci_device *d)
{
	const struct net_facts *net = net_facts(f);

	for (size_t i = 0; net && i < net->links.n; i++) {
		const struct net_link *l = net->links.items[i];

		if ((!l->default_route && !l->master) || !net_stands_on(net, l, &d->links))
			continue;
		return l->default_route
			       ? arena_printf(a, "the default route goes through %s", upon(a, l))
			       : arena_printf(a, "%s is a port of %s", upon(a, l), l->master);
	}
	for (size_t i = 0; i < d->disks.n; i++) {
		const char *why = disk_needed(a, f, d->disks.items[i]);

		if (why)
			return why;
	}
	return NULL;
}

static bool is_behind(struct arena *a, const struct facts *f, const struct storage_device *want,
		      const struct pci_device *d)
{
	const char *why, *help;
	const struct blk_disk *disk =
		facts_get(f, "disks") ? device_pick(a, f, want, &why, &help) : NULL;

	return disk && list_has(&d->disks, disk->name);
}

const char *pci_host_declared(struct arena *a, const struct facts *f, const struct manifest *m,
			      const struct pci_device *d)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct net_link *l;
		const struct storage *s = r->record;
		const struct domain *g = r->record;

		if (r->kind == &kind_link && d->links.n && net_facts(f)) {
			l = link_resolve(a, net_facts(f), &((const struct link *)r->record)->match,
					 NULL);
			if (l && net_stands_on(net_facts(f), l, &d->links))
				return arena_printf(a, "%s is the manifest's link '%s'", upon(a, l),
						    r->name);
		}
		for (size_t k = 0; r->kind == &kind_storage && k < s->devices.n; k++)
			if (is_behind(a, f, s->devices.items[k], d))
				return arena_printf(a, "a device of storage '%s' is behind it",
						    r->name);
		for (size_t k = 0; r->kind == &kind_domain && k < g->disks.n; k++) {
			const struct domain_disk *disk = g->disks.entries[k].value;
			const struct storage_device *v = &disk->device;

			if ((v->serial || v->wwid || v->path || v->pci) && is_behind(a, f, v, d))
				return arena_printf(a, "a disk of domain '%s' is behind it",
						    r->name);
		}
	}
	return NULL;
}

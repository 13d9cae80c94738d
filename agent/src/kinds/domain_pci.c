/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PCI devices of a domain: what the manifest says of them, who else has them, what they rule out.
 */
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "kinds/net_facts.h"
#include "kinds/pci.h"

#define PCI_MAX 32 /* of one domain: as many as a bus of its own has slots */

TABLE(domain_pci_table, domain_pci, "pci", "A PCI device of the machine's, which is the guest's alone.",
      {.name = "address", .type = FIELD_STRING, .offset = FIELD_AT(domain_pci, address),
       .parse = parse_pci_address, .flags = FIELD_REQUIRED | FIELD_SHORT,
       .impact = IMPACT_GUEST_RESTART,
       .doc = "where it is, as lspci and 'manor facts' show it: 00:0a.0 or 0000:00:0a.0"},
      {.name = "permissive", .type = FIELD_BOOL, .offset = FIELD_AT(domain_pci, permissive),
       .def = "false", .impact = IMPACT_GUEST_RESTART,
       .doc = "whether the guest may write to all of its configuration, not only to what is known to be harmless: for "
	      "drivers that fail otherwise, of guests that are trusted"},
      {.name = "seize", .type = FIELD_BOOL, .offset = FIELD_AT(domain_pci, seize), .def = "false",
       .flags = FIELD_CONFIG,
       .doc = "whether it is taken even from a driver of dom0's that has it; what dom0 can't do without stays dom0's "
	      "all the same"});

static const char *path_of(struct arena *a, const char *name, const char *field)
{
	return arena_printf(a, "pci.%s%s%s", name, field ? "." : "", field ? field : "");
}

/* Where the manifest says the address. */
static const struct node *address_node(const struct domain_pci *p)
{
	const struct node *n = p->rec.node;

	return n && n->type == NODE_MAP ? node_get(n, "address") : n;
}

static void check_type(struct lowering *l)
{
	const char *name = l->d->pci.entries[0].name;
	const char *title = resource_title(l->m->arena, l->r);
	struct diag *g;

	if (l->d->type == XEN_PVH && domain_type_known(l)) {
		g = diag_error(l->m->diags, "bad-combination",
			       field_span(l->d, path_of(l->m->arena, name, NULL)),
			       "%s is pvh, and Xen can give PCI devices to pv and hvm guests only",
			       title);
		diag_help(l->m->diags, g, "say type: pv, or type: hvm");
		if (field_given(&domain_table, l->d, "type"))
			diag_also(l->m->diags, g, field_span(l->d, "type"), "type");
	}
	if (l->d->type == XEN_HVM && l->d->maxmem > l->d->memory) {
		g = diag_error(
			l->m->diags, "bad-combination", field_span(l->d, "maxmem"),
			"%s has a PCI device, which reaches all of its memory: an hvm guest's "
			"maxmem can't be more than its memory then",
			title);
		diag_also(l->m->diags, g, field_span(l->d, path_of(l->m->arena, name, NULL)),
			  "the device");
	}
	if (l->d->on_host_shutdown == SHUTDOWN_SAVES) {
		g = diag_error(l->m->diags, "bad-combination", field_span(l->d, "on_host_shutdown"),
			       "%s has a PCI device, whose state can't be saved", title);
		diag_also(l->m->diags, g, field_span(l->d, path_of(l->m->arena, name, NULL)),
			  "the device");
		diag_help(l->m->diags, g, "say on_host_shutdown: shutdown");
	}
}

void domain_lower_pci(struct lowering *l)
{
	const struct map *all = &l->d->pci;

	if (all->n == 0)
		return;
	check_type(l);
	if (all->n > PCI_MAX) {
		diag_error(l->m->diags, "too-many", field_span(l->d, "pci"),
			   "%s has %zu PCI devices; it can have at most %d",
			   resource_title(l->m->arena, l->r), all->n, PCI_MAX);
		return;
	}
	for (size_t i = 0; i < all->n; i++) {
		const struct domain_pci *p = all->entries[i].value;
		struct resource *r;

		if (!p->address)
			continue;
		/* That two ask for one is said once all have asked. */
		r = manifest_find(l->m, "pci", p->address);
		if (!r)
			r = pci_imply(l->m, l->r, p->address, p->seize, address_node(p));
		if (r)
			resource_needs(l->m, l->r, r);
	}
}

/* Something else of the manifest's that stands on the device by its place: "pci-0000:00:0a.0-ata-1". */
static bool is_on(const char *path, const char *address)
{
	const char *s = startswith(path, "pci-") ? path + strlen("pci-") : NULL;
	size_t n = strlen(address);

	return s && strncmp(s, address, n) == 0 && (!s[n] || s[n] == '-');
}

static void in_use(struct manifest *m, const struct resource *domain, const struct domain_pci *p,
		   const struct resource *other, struct span there)
{
	struct diag *g = diag_error(m->diags, "shared-pci", field_span(p, "address"),
				    "%s takes PCI device %s, which %s is behind",
				    resource_title(m->arena, domain), p->address,
				    resource_title(m->arena, other));

	diag_also(m->diags, g, there, "here");
}

void domain_check_pci(struct manifest *m, const struct resource *domain, const struct domain_pci *p)
{
	for (size_t i = 0; p->address && i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct link *l = r->record;
		const struct storage *s = r->record;
		const struct domain *d = r->record;

		if (r->kind == &kind_link && is_on(l->match.path, p->address))
			in_use(m, domain, p, r, field_span(l, "match.path"));
		for (size_t k = 0; r->kind == &kind_storage && k < s->devices.n; k++) {
			const struct storage_device *v = s->devices.items[k];

			if (is_on(v->pci, p->address))
				in_use(m, domain, p, r, field_span(v, "pci"));
		}
		for (size_t k = 0; r->kind == &kind_domain && k < d->disks.n; k++) {
			const struct storage_device *v =
				&((struct domain_disk *)d->disks.entries[k].value)->device;

			if (is_on(v->pci, p->address))
				in_use(m, domain, p, r, field_span(v, "pci"));
		}
	}
}

void domain_ask_pci(struct arena *a, const struct domain *d, struct list *ret)
{
	for (size_t i = 0; i < d->pci.n; i++) {
		const struct domain_pci *p = d->pci.entries[i].value;
		struct xen_pci *x = arena_alloc(a, sizeof(*x));

		*x = (struct xen_pci){
			.address = p->address,
			.permissive = p->permissive,
			.label = d->pci.entries[i].name,
		};
		list_add(a, ret, x);
	}
}

static const char *name_of(struct arena *a, const struct domain *want, const char *address)
{
	char *name;

	for (size_t i = 0; want && i < want->pci.n; i++)
		if (streq(((struct domain_pci *)want->pci.entries[i].value)->address, address))
			return want->pci.entries[i].name;
	/* A name that nobody else is likely to give. */
	name = arena_strdup(a, address);
	for (char *s = name; *s; s++)
		if (*s == ':' || *s == '.')
			*s = '-';
	return name;
}

void domain_fill_pci(struct arena *a, const struct xen_domain *x, const struct domain *want,
		     struct domain *d)
{
	for (size_t i = 0; i < x->pci.n; i++) {
		const struct xen_pci *from = x->pci.items[i];
		struct domain_pci *p = arena_alloc(a, sizeof(*p));

		p->address = from->address;
		p->permissive = from->permissive;
		field_mark(&domain_pci_table, p, "address");
		field_mark(&domain_pci_table, p, "permissive");
		map_add(a, &d->pci, name_of(a, want, from->address), p);
	}
	if (x->pci.n)
		field_mark(&domain_table, d, "pci");
}

/* Where a device is to be made assignable, that step says the same. */
static bool is_said(const struct planning *p, const struct resource *want)
{
	for (size_t i = 0; i < p->plan->n; i++) {
		const struct step *s = &p->plan->steps[i];

		for (size_t k = 0; s->kind == &kind_pci && k < want->n_needs; k++)
			if (s->want == want->needs[k])
				return true;
	}
	return false;
}

void domain_hold_pci(struct planning *p, const struct resource *want, struct step *s)
{
	const struct domain *d = want->record;
	const char *why = d->pci.n ? pci_incapable(p->facts) : NULL;

	if (!why || is_said(p, want))
		return;
	step_hold_at(s, HOLD_CONFLICT, field_span(d, "pci"), why);
}

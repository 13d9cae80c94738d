/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PCI devices for guests: made assignable before a domain starts that is to have one, given back to dom0's driver when
 * no domain has it any more and the manifest names it no more. One that a person made assignable is used, and stays so.
 */
#include "kinds/pci.h"

#include <errno.h>

#include "kinds/host_parts.h"
#include "kinds/kinds.h"
#include "kinds/pci_host.h"
#include "kinds/reading.h"

#define STEP_TIMEOUT_S 60
#define SHOWN_MAX      8 /* devices named in a message */

TABLE(pci_table, pci, "pci", "A PCI device that is taken from dom0 for a guest.",
      {.name = "address", .type = FIELD_STRING, .offset = FIELD_AT(pci, address),
       .flags = FIELD_DERIVED, .doc = "where it is"},
      {.name = "seize", .type = FIELD_BOOL, .offset = FIELD_AT(pci, seize), .flags = FIELD_STATUS,
       .doc = "whether it is taken from a driver of dom0's"},
      {.name = "driver", .type = FIELD_STRING, .offset = FIELD_AT(pci, driver),
       .flags = FIELD_STATUS, .doc = "dom0's driver that it was taken from, and goes back to"},
      {.name = "device", .type = FIELD_STRING, .offset = FIELD_AT(pci, device),
       .flags = FIELD_STATUS, .doc = "what it is"});

/* --- the manifest --- */

/* So many hex digits at most, and what follows them; NULL: none. */
static const char *hex(const char *s, unsigned digits, unsigned *ret)
{
	static const char all[] = "0123456789abcdef0123456789ABCDEF";
	const char *at, *from = s;

	for (*ret = 0; *s && s < from + digits && (at = strchr(all, *s)); s++)
		*ret = *ret * 16 + (unsigned)((at - all) & 15);
	return s > from ? s : NULL;
}

int parse_pci_address(struct decode *c, const struct field *f, const char *text, const char **ret,
		      struct err *e)
{
	unsigned domain = 0, bus = 0, slot = 0, function = 0;
	const char *colon = strchr(text, ':');
	const char *s = text;

	if (colon && strchr(colon + 1, ':')) {
		s = hex(s, 4, &domain);
		s = s && *s == ':' ? s + 1 : NULL;
	}
	s = s ? hex(s, 2, &bus) : NULL;
	s = s && *s == ':' ? hex(s + 1, 2, &slot) : NULL;
	s = s && *s == '.' ? hex(s + 1, 1, &function) : NULL;
	if (!s || *s || slot > 31 || function > 7)
		return err_set(e, -EINVAL,
			       "a PCI device's address, such as 00:0a.0 or 0000:00:0a.0: lspci "
			       "and 'manor facts' show them");
	*ret = arena_printf(c->arena, "%04x:%02x:%02x.%u", domain, bus, slot, function);
	return 0;
}

struct resource *pci_imply(struct manifest *m, struct resource *domain, const char *address,
			   bool seize, const struct node *where)
{
	struct resource *r = manifest_imply(m, domain, "pci", address, where);
	struct pci *p;

	if (!r)
		return NULL;
	p = r->record;
	p->address = arena_strdup(m->arena, address);
	p->seize = seize;
	field_mark(&pci_table, p, "address");
	field_mark(&pci_table, p, "seize");
	return r;
}

/* --- what is there --- */

static const struct xen_pci_mark *mark_of(const struct facts *f, const struct manifest *m,
					  const char *address)
{
	const struct xen_facts *x = facts_get(f, "xen");
	char uuid[UUID_TEXT] = "";

	if (m && m->namespace)
		ident_uuid(m->namespace, "pci", address, uuid);
	for (size_t i = 0; x && i < x->pci_marks.n; i++) {
		const struct xen_pci_mark *k = x->pci_marks.items[i];

		if (streq(k->address, address) && (!*uuid || streq(k->uuid, uuid)))
			return k;
	}
	return NULL;
}

static void fill(struct arena *a, const struct pci_device *d, const struct xen_pci_mark *k,
		 struct pci *ret)
{
	ret->address = d->address;
	ret->device = pci_host_title(a, d);
	ret->driver = k ? k->driver : NULL;
	field_mark(&pci_table, ret, "address");
	field_mark(&pci_table, ret, "device");
	if (ret->driver)
		field_mark(&pci_table, ret, "driver");
}

static void actual(struct arena *a, const struct facts *f, const struct manifest *m,
		   struct actuals *ret)
{
	const struct pci_facts *all = facts_get(f, "pci");

	for (size_t i = 0; i < all->devices.n; i++) {
		const struct pci_device *d = all->devices.items[i];
		const struct xen_pci_mark *k = mark_of(f, m, d->address);
		struct actual *x;

		if (!k && !pci_assignable(d))
			continue; /* dom0's */
		x = actual_add(a, ret, &kind_pci, d->address);
		x->data = d;
		x->state = pci_assignable(d) ? "assignable" : "half-made";
		fill(a, d, k, x->record);
		if (k) {
			x->uuid = k->uuid;
			x->half_made = !pci_assignable(d);
		} else if (m && manifest_find(m, "pci", d->address)) {
			x->common = x->keep = true;
			x->note = "not made assignable by Manor: it stays so";
		} else {
			x->foreign = true;
			x->note = "assignable, and not made so by Manor";
		}
	}
}

bool pci_there(const struct facts *f, const char *address)
{
	const struct pci_device *d = pci_find(facts_get(f, "pci"), address);

	return d && pci_assignable(d);
}

const char *pci_incapable(const struct facts *f)
{
	const struct xen_facts *x = facts_get(f, "xen");

	/* libxl knows no more of it than this word, for pv guests too. */
	if (!x || x->virt_caps.n == 0 || list_has(&x->virt_caps, "hvm_directio"))
		return NULL;
	return "this host's Xen uses no IOMMU, without which no guest gets a PCI device: switch it on in "
	       "the firmware (VT-d, AMD-Vi), leave iommu=off out of Xen's command line, and reboot";
}

/* With what the plan sees of it: the worker goes on only if dom0 uses it no otherwise by then. */
static const void *wanted(struct arena *a, const struct facts *f, const struct manifest *m,
			  const struct resource *r)
{
	const struct pci *p = r->record;
	const struct pci_device *d = pci_find(facts_get(f, "pci"), p->address);
	const struct xen_pci_mark *k = mark_of(f, m, p->address);
	struct pci *copy;

	if (!d)
		return p;
	copy = arena_alloc(a, sizeof(*copy));
	*copy = *p;
	copy->device = pci_host_title(a, d);
	field_mark(&pci_table, copy, "device");
	copy->driver = d->driver && !pci_assignable(d) ? d->driver : k ? k->driver : NULL;
	if (copy->driver)
		field_mark(&pci_table, copy, "driver");
	return copy;
}

/* --- planning --- */

static const char *candidates(struct arena *a, const struct pci_facts *f)
{
	const char *text = NULL;
	size_t n = 0;

	for (size_t i = 0; i < f->devices.n; i++) {
		const struct pci_device *d = f->devices.items[i];

		if (pci_host_fixed(d) || n++ >= SHOWN_MAX)
			continue;
		text = arena_printf(a, "%s%s%s (%s)", text ? text : "", text ? ", " : "",
				    d->address, pci_host_title(a, d));
	}
	if (!text)
		return "it has none that could be given away";
	return arena_printf(a, "it has %s%s", text, n > SHOWN_MAX ? " …" : "");
}

static void hold_create(struct planning *p, const struct resource *want, struct step *step)
{
	struct arena *a = p->arena;
	const struct pci *r = want->record;
	const struct pci_facts *f = facts_get(p->facts, "pci");
	const struct pci_device *d = pci_find(f, r->address);
	enum hold hold;
	const char *why;

	if (!d) {
		step_hold(step, HOLD_CONFLICT,
			  arena_printf(a, "this host has no PCI device %s; %s", r->address,
				       candidates(a, f)));
		return;
	}
	if (pci_host_fixed(d)) {
		step_hold(step, HOLD_CONFLICT,
			  arena_printf(a, "%s is the machine's own (%s), and can't be given away",
				       r->address, pci_host_title(a, d)));
		return;
	}
	why = pci_incapable(p->facts);
	if (why) {
		step_hold(step, HOLD_CONFLICT, why);
		return;
	}
	why = host_keeps(p, r->address, &d->links, &d->disks, &hold);
	if (why)
		step_hold(step, hold, why);
	else if (d->driver && !r->seize)
		step_hold(step, HOLD_CONFLICT,
			  arena_printf(a, "dom0 uses %s (%s): `seize: true` takes it away",
				       r->address, pci_host_use(a, d)));
}

static void decide(struct planning *p, const struct resource *want, const struct actual *have,
		   struct step *step)
{
	const struct pci_device *d = NULL;
	const struct pci *r;

	if (!step)
		return;
	step->timeout_s = STEP_TIMEOUT_S;
	step->serial = "pci"; /* pciback's lists are one file each */
	if (!want) {
		r = have->record;
		if (r->driver && !have->half_made)
			step->why = arena_printf(p->arena, "%s; goes back to dom0's driver %s",
						 step->why, r->driver);
		return;
	}
	r = want->record;
	d = pci_find(facts_get(p->facts, "pci"), r->address);
	if (step->action != ACTION_CREATE)
		return;
	if (d && !step->why)
		step->why = arena_printf(p->arena, "%s, for %s", pci_host_title(p->arena, d),
					 resource_title(p->arena, want->owner));
	hold_create(p, want, step);
	if (d && d->driver && step_todo(step) && (d->links.n || d->disks.n))
		step->loses = arena_printf(p->arena, "dom0's %s",
					   host_parts(p->arena, &d->links, &d->disks));
}

/* --- doing --- */

static int create(struct work *w, struct err *e)
{
	const struct pci *want = w->step->want_record;
	const struct pci_device *d = pci_find(facts_get(w->facts, "pci"), want->address);
	const char *why;

	if (!d)
		return err_set(e, -ENODEV, "this host has no PCI device %s by now", want->address);
	if (d->driver && !pci_assignable(d)) {
		if (!want->seize || !streq(d->driver, want->driver))
			return err_set(e, -ESTALE,
				       "dom0's driver %s has it by now; run apply again",
				       d->driver);
		why = host_needs(w->arena, w->facts, &d->links, &d->disks);
		if (why)
			return err_set(e, -EBUSY, "dom0 can't do without it by now: %s", why);
	}
	w->progress(w, "taking it from dom0", 0, 0);
	return xen_pci_add(want->address, w->step->uuid, want->driver, e);
}

static int remove_(struct work *w, struct err *e)
{
	const struct pci *p = w->now->record;

	w->progress(w, "giving it back", 0, 0);
	return xen_pci_remove(p->address, p->driver, e);
}

static int apply(struct work *w, struct err *e)
{
	int r;

	if (w->step->action == ACTION_CREATE)
		r = create(w, e);
	else if (w->step->action == ACTION_REMOVE)
		r = remove_(w, e);
	else
		r = err_set(e, -EINVAL, "no such action for a PCI device");
	return r;
}

static const char *const readers[] = {"pci", "xen", "net", "disks", NULL};

const struct kind kind_pci = {
	.name = "pci",
	.table = &pci_table,
	.readers = readers,
	.for_starts = true,
	.actual = actual,
	.wanted = wanted,
	.decide = decide,
	.apply = apply,
};

/* --- the reading --- */

TABLE(pci_device_table, pci_device, "device", "A PCI device.",
      ROW(pci_device, address, FIELD_STRING, .doc = "Where it is: what domains.pci may name."),
      ROW(pci_device, id, FIELD_STRING, .doc = "Vendor and device."),
      ROW(pci_device, type, FIELD_STRING, .doc = "Class, subclass and interface."),
      ROW(pci_device, driver, FIELD_STRING,
	  .doc = "Driver of dom0's that has it; pciback: it can be given to guests."),
      ROW(pci_device, links, FIELD_LIST, .doc = "Network links that it is behind."),
      ROW(pci_device, disks, FIELD_LIST, .doc = "Disks that it is behind."));

TABLE(pci_facts_table, pci_facts, "pci", "PCI devices.",
      ROW(pci_facts, backend, FIELD_BOOL, .doc = "Whether dom0's driver for giving them away is loaded."),
      ROW(pci_facts, devices, FIELD_LIST, .sub = &pci_device_table, .doc = "All there are."));

READER(pci, pci_read, pci_facts_table, 30000,
       "PCI devices: their drivers, and the links and disks behind them, from sysfs.");

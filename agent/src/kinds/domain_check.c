/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What domains may not have in common: a MAC address, a disk that one of them writes, a PCI or USB device, a screen's port.
 */
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "kinds/net_facts.h"

/* One use of something that only one may have: a MAC, a volume that is written to. */
struct use {
	const char *what; /* the MAC, the target, the address */
	const struct resource *domain;
	const struct entry *entry; /* of the NIC, disk or device */
	const char *field;         /* of it */
	bool writes;
};

static int by_what(const void *a, const void *b)
{
	const struct use *x = a, *y = b;
	int r = strcmp(x->what, y->what);

	if (r == 0)
		r = strcmp(x->domain->name, y->domain->name);
	return r ? r : strcmp(x->entry->name, y->entry->name);
}

static struct span use_span(const struct use *u)
{
	return field_span(u->entry->value, u->field);
}

/* The domain, or of two uses within one the NIC or disk. */
static const char *use_title(struct arena *a, const char *word, const struct use *u,
			     const struct use *other)
{
	const char *domain = resource_title(a, u->domain);

	if (u->domain != other->domain)
		return domain;
	return arena_printf(a, "%s '%.80s' of %s", word, u->entry->name, domain);
}

static bool earlier(const struct use *a, const struct use *b)
{
	struct span x = use_span(a), y = use_span(b);

	return span_cmp(&x, &y) <= 0;
}

static void add_use(struct manifest *m, struct use **list, size_t *n, const struct resource *r,
		    const char *what, bool writes, const struct entry *entry, const char *field)
{
	if (!what)
		return;
	*list = arena_grow(m->arena, *list, *n, sizeof(**list));
	(*list)[(*n)++] = (struct use){
		.what = what,
		.domain = r,
		.writes = writes,
		.entry = entry,
		.field = field,
	};
}

/* Who has a whole disk has its partitions: those of whom only one may write are told by "partition N of …". */
static void check_wholes(struct manifest *m, const struct use *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *of = startswith(list[i].what, "partition ")
					 ? strstr(list[i].what, " of ")
					 : NULL;
		struct diag *g;

		for (size_t k = 0; of && k < n; k++) {
			if (!streq(list[k].what, of + 4) || (!list[i].writes && !list[k].writes))
				continue;
			g = diag_error(
				m->diags, "shared-volume", use_span(&list[i]),
				"%s uses a partition of the disk that %s uses as a whole, and one "
				"of them may write it",
				use_title(m->arena, "disk", &list[i], &list[k]),
				use_title(m->arena, "disk", &list[k], &list[i]));
			diag_also(m->diags, g, use_span(&list[k]), "the whole");
			break;
		}
	}
}

/* One that may write what many read is the odd one out, wherever it stands: the place to mend is where that is said, or
 * ought to be. Returns whether these uses of one thing, in the order of by_what(), are so. */
static bool one_writes(struct manifest *m, const struct use *list, size_t n)
{
	const struct use *writer = NULL, *reader;
	const void *disk;
	struct diag *g;

	for (size_t i = 0; i < n; i++) {
		if (!list[i].writes)
			continue;
		if (writer)
			return false;
		writer = &list[i];
	}
	if (!writer || n < 3)
		return false;
	reader = writer == list ? list + 1 : list;
	disk = writer->entry->value;
	g = diag_error(m->diags, "shared-volume",
		       field_given(domain_disk_fields, disk, "read_only")
			       ? field_span(disk, "read_only")
			       : use_span(writer),
		       "%s may write the %s that %s and %zu more read",
		       use_title(m->arena, "disk", writer, reader),
		       streq(writer->field, "volume") ? "volume" : "disk",
		       use_title(m->arena, "disk", reader, writer), n - 2);
	diag_also(m->diags, g, use_span(reader), "read here");
	diag_help(m->diags, g, "it is shared only where all say read_only: true");
	return true;
}

/* `list` is in the order of by_what(). */
static void check_shared(struct manifest *m, const struct use *list, size_t n)
{
	size_t end;

	for (size_t begin = 0; begin < n; begin = end) {
		for (end = begin + 1; end < n && streq(list[end].what, list[begin].what);)
			end++;
		if (one_writes(m, list + begin, end - begin))
			continue;
		for (size_t i = begin + 1; i < end; i++) {
			bool swap = earlier(&list[i], &list[i - 1]);
			const struct use *second = &list[swap ? i - 1 : i],
					 *first = &list[swap ? i : i - 1];
			struct diag *g;

			if (!first->writes && !second->writes)
				continue;
			g = diag_error(
				m->diags, "shared-volume", use_span(second),
				"%s uses a %s that %s uses too, and one of them may write it",
				use_title(m->arena, "disk", second, first),
				streq(second->field, "volume") ? "volume" : "disk",
				use_title(m->arena, "disk", first, second));
			diag_also(m->diags, g, use_span(first), "first here");
			diag_help(m->diags, g, "it is shared only where all say read_only: true");
		}
	}
}

/* A guest with the MAC of one of the host's own cards would take its packets. */
static void check_host_mac(struct manifest *m, const struct use *u)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct link *l = r->record;
		struct diag *g;

		if (r->kind != &kind_link || !l->match.mac || !streq(l->match.mac, u->what))
			continue;
		g = diag_error(m->diags, "duplicate-mac", use_span(u),
			       "%s has the MAC address of link '%s', %s",
			       resource_title(m->arena, u->domain), r->name, u->what);
		diag_also(m->diags, g, field_span(l, "match.mac"), "the link's");
	}
}

static const char *uuid_of(const struct resource *r)
{
	return r->kind == &kind_domain ? ((const struct domain *)r->record)->uuid : NULL;
}

static bool gives_uuid(const struct resource *r)
{
	return field_given(&domain_table, r->record, "uuid");
}

/* To Xen, and to who asks it, two of one UUID are one. */
static void check_uuids(struct manifest *m)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];

		for (size_t k = 0; uuid_of(r) && gives_uuid(r) && k < m->n_resources; k++) {
			const struct resource *o = m->resources[k];
			struct span here = field_span(r->record, "uuid"), there;
			struct diag *g;

			if (o == r || !streq(uuid_of(o), uuid_of(r)))
				continue;
			there = gives_uuid(o) ? field_span(o->record, "uuid") : o->span;
			if (gives_uuid(o) && span_cmp(&here, &there) < 0)
				continue; /* said of the other */
			g = diag_error(m->diags, "duplicate-uuid", here,
				       "%s and %s have the same UUID %s",
				       resource_title(m->arena, o), resource_title(m->arena, r),
				       uuid_of(r));
			diag_also(m->diags, g, there,
				  gives_uuid(o) ? "first here" : "it follows from its name");
			break;
		}
	}
}

static void say_mac(struct manifest *m, const struct use *first, const struct use *second)
{
	struct diag *g = diag_error(m->diags, "duplicate-mac", use_span(second),
				    "%s and %s have the same MAC address %s",
				    use_title(m->arena, "nic", first, second),
				    use_title(m->arena, "nic", second, first), first->what);

	diag_also(m->diags, g, use_span(first), "first here");
}

static void say_pci(struct manifest *m, const struct use *first, const struct use *second)
{
	struct diag *g = diag_error(m->diags, "shared-pci", use_span(second),
				    "%s takes PCI device %s, which %s has: it can be one's alone",
				    use_title(m->arena, "pci", second, first), second->what,
				    use_title(m->arena, "pci", first, second));

	diag_also(m->diags, g, use_span(first), "first here");
}

static void say_usb(struct manifest *m, const struct use *first, const struct use *second)
{
	struct diag *g =
		diag_error(m->diags, "shared-usb", use_span(second),
			   "%s takes the USB device that %s has (%s): it can be one's alone",
			   use_title(m->arena, "USB device", second, first),
			   use_title(m->arena, "USB device", first, second), second->what);

	diag_also(m->diags, g, use_span(first), "first here");
	if (streq(second->field, "vendor"))
		diag_help(m->diags, g, "two of one kind are told apart by serial, or by port");
}

/* Says of each two in a row of one thing that they are. */
static void each_double(struct manifest *m, struct use *list, size_t n,
			void (*say)(struct manifest *m, const struct use *first,
				    const struct use *second))
{
	if (list)
		qsort(list, n, sizeof(*list), by_what);
	for (size_t i = 1; i < n; i++) {
		bool swap = earlier(&list[i], &list[i - 1]);

		if (streq(list[i].what, list[i - 1].what))
			say(m, &list[swap ? i : i - 1], &list[swap ? i - 1 : i]);
	}
}

void domain_check(struct manifest *m)
{
	struct use *macs = NULL, *targets = NULL, *devices = NULL, *usb = NULL;
	size_t n_macs = 0, n_targets = 0, n_devices = 0, n_usb = 0;

	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct domain *d = r->record;

		if (r->kind != &kind_domain)
			continue;
		for (size_t k = 0; k < d->nics.n; k++)
			add_use(m, &macs, &n_macs, r,
				((struct domain_nic *)d->nics.entries[k].value)->mac, true,
				&d->nics.entries[k], "mac");
		for (size_t k = 0; k < d->disks.n; k++) {
			const struct domain_disk *x = d->disks.entries[k].value;

			add_use(m, &targets, &n_targets, r, domain_disk_what(m->arena, x),
				!x->read_only, &d->disks.entries[k], domain_disk_key(x));
		}
		for (size_t k = 0; k < d->pci.n; k++) {
			const struct domain_pci *x = d->pci.entries[k].value;

			add_use(m, &devices, &n_devices, r, x->address, true, &d->pci.entries[k],
				"address");
			domain_check_pci(m, r, x);
		}
		for (size_t k = 0; k < d->usb_devices.n; k++) {
			const char *field,
				*what = domain_usb_what(m->arena, d->usb_devices.entries[k].value,
							&field);

			add_use(m, &usb, &n_usb, r, what, true, &d->usb_devices.entries[k], field);
		}
	}
	check_uuids(m);
	domain_check_screens(m);
	check_wholes(m, targets, n_targets);
	for (size_t i = 0; i < n_macs; i++)
		check_host_mac(m, &macs[i]);
	each_double(m, macs, n_macs, say_mac);
	if (targets)
		qsort(targets, n_targets, sizeof(*targets), by_what);
	check_shared(m, targets, n_targets);
	each_double(m, devices, n_devices, say_pci);
	each_double(m, usb, n_usb, say_usb);
}

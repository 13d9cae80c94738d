/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * USB devices of a domain: which are meant, which these are on this host, and who else has them or needs them.
 */
#include "kinds/domain_usb.h"

#include <errno.h>

#include "kinds/domain_priv.h"
#include "kinds/host_parts.h"
#include "kinds/kinds.h"

#define SHOWN_MAX 8 /* devices named in a message */

/* --- the manifest --- */

int parse_usb_word(struct decode *c, const struct field *f, const char *text, const char **ret,
		   struct err *e)
{
	const char *from = startswith(text, "0x") ? text + 2 : text;
	char *word;

	if (strlen(from) != 4 || strspn(from, "0123456789abcdefABCDEF") != 4)
		return err_set(e, -EINVAL,
			       "four hex digits, such as 046d: lsusb and 'manor facts' show them");
	word = arena_strdup(c->arena, from);
	for (char *s = word; *s; s++)
		if (*s >= 'A' && *s <= 'F')
			*s = (char)(*s - 'A' + 'a');
	*ret = word;
	return 0;
}

int parse_usb_port(struct decode *c, const struct field *f, const char *text, const char **ret,
		   struct err *e)
{
	if (!usb_is_port(text))
		return err_set(e, -EINVAL,
			       "where a USB device is plugged in, such as 1-1.2: bus and ports, as "
			       "'manor facts' shows them");
	*ret = text;
	return 0;
}

int parse_usb_serial(struct decode *c, const struct field *f, const char *text, const char **ret,
		     struct err *e)
{
	for (const char *s = text; *s; s++)
		if (*s < ' ' || *s > '~')
			return err_set(e, -EINVAL, "a serial number as 'manor facts' shows it");
	return parse_text(c, f, text, ret, e);
}

TABLE(domain_usb_table, domain_usb, "usb_device", "A USB device of the machine's, which is the guest's alone.",
      {.name = "at", .type = FIELD_STRING, .offset = FIELD_AT(domain_usb, at),
       .flags = FIELD_DERIVED, .impact = IMPACT_LIVE, .doc = "where it is plugged in"},
      {.name = "vendor", .type = FIELD_STRING, .offset = FIELD_AT(domain_usb, vendor),
       .parse = parse_usb_word, .flags = FIELD_CONFIG,
       .doc = "whose it is, the first half of what lsusb shows as its ID: 046d of 046d:c52b"},
      {.name = "product", .type = FIELD_STRING, .offset = FIELD_AT(domain_usb, product),
       .parse = parse_usb_word, .flags = FIELD_CONFIG, .doc = "which, the second half: c52b"},
      {.name = "serial", .type = FIELD_STRING, .offset = FIELD_AT(domain_usb, serial),
       .parse = parse_usb_serial, .flags = FIELD_CONFIG,
       .doc = "its serial number, which tells two of one kind apart"},
      {.name = "port", .type = FIELD_STRING, .offset = FIELD_AT(domain_usb, port),
       .parse = parse_usb_port, .flags = FIELD_CONFIG,
       .doc = "where it is plugged in, bus and ports: 1-1.2; with 'vendor' and 'product' only that one is meant, without "
	      "them whatever is there"},
      {.name = "required", .type = FIELD_BOOL, .offset = FIELD_AT(domain_usb, required),
       .flags = FIELD_CONFIG,
       .doc = "whether the guest isn't started while it isn't plugged in; else it starts without, and gets it when it "
	      "comes"});

static const char *path_of(struct arena *a, const char *name, const char *field)
{
	return arena_printf(a, "usb_devices.%s%s%s", name, field ? "." : "", field ? field : "");
}

const char *usb_title(struct arena *a, const struct domain_usb *u)
{
	const char *text = "";

	if (u->vendor)
		text = arena_printf(a, "%s:%s", u->vendor, u->product);
	if (u->serial)
		text = arena_printf(a, "%s, serial '%s'", text, u->serial);
	if (u->port)
		text = arena_printf(a, "%s%sat %s", text, *text ? ", " : "", u->port);
	return text;
}

static void check_domain(struct lowering *l)
{
	const char *title = resource_title(l->m->arena, l->r);
	struct diag *g;

	if (l->d->type != XEN_HVM) {
		g = diag_error(l->m->diags, "bad-combination", field_span(l->d, "usb_devices"),
			       "%s is %s, and USB devices go to hvm guests only", title,
			       xen_type_words[l->d->type]);
		diag_help(l->m->diags, g,
			  "say type: hvm; or give a USB controller as a whole to a pv guest, with "
			  "'pci'");
		if (field_given(&domain_table, l->d, "type"))
			diag_also(l->m->diags, g, field_span(l->d, "type"), "type");
	}
	if (l->d->on_host_shutdown == SHUTDOWN_SAVES) {
		g = diag_error(l->m->diags, "bad-combination", field_span(l->d, "on_host_shutdown"),
			       "%s has USB devices, whose state can't be saved", title);
		diag_also(l->m->diags, g, field_span(l->d, "usb_devices"), "the devices");
		diag_help(l->m->diags, g, "say on_host_shutdown: shutdown");
	}
	if (l->d->usb_devices.n > XEN_USB_PORTS)
		diag_error(l->m->diags, "too-many", field_span(l->d, "usb_devices"),
			   "%s has %zu USB devices; it can have at most %d", title,
			   l->d->usb_devices.n, XEN_USB_PORTS);
}

static bool given(const struct domain_usb *u, const char *field)
{
	return field_given(&domain_usb_table, u, field);
}

/* What could not be understood was said, and may have been all that lacks. */
static void check_device(struct lowering *l, const char *name, const struct domain_usb *u)
{
	bool vendor = given(u, "vendor"), product = given(u, "product");
	const char *title = resource_title(l->m->arena, l->r), *field = NULL;
	struct diag *g;

	if (vendor != product)
		field = vendor ? "vendor" : "product";
	else if (given(u, "serial") && !vendor)
		field = "serial";
	if (field) {
		g = diag_error(l->m->diags, "missing-key",
			       field_span(l->d, path_of(l->m->arena, name, field)),
			       "USB device '%.80s' of %s has a '%s' and no '%s'", name, title,
			       field, streq(field, "vendor") ? "product" : "vendor");
		diag_help(l->m->diags, g, "'vendor' and 'product' together say what it is");
	} else if (!vendor && !given(u, "port") && !field_strange(&domain_usb_table, u)) {
		g = diag_error(l->m->diags, "missing-key",
			       field_span(l->d, path_of(l->m->arena, name, NULL)),
			       "USB device '%.80s' of %s doesn't say which it is", name, title);
		diag_help(l->m->diags, g,
			  "say vendor and product, and serial where there are several; or port, as "
			  "'manor facts' shows them");
	}
}

void domain_lower_usb(struct lowering *l)
{
	if (l->d->usb_devices.n == 0)
		return;
	l->d->usb_ports = true;
	field_mark(&domain_table, l->d, "usb_ports");
	check_domain(l);
	for (size_t i = 0; i < l->d->usb_devices.n; i++)
		check_device(l, l->d->usb_devices.entries[i].name,
			     l->d->usb_devices.entries[i].value);
}

const char *domain_usb_what(struct arena *a, const struct domain_usb *u, const char **ret_field)
{
	*ret_field = u->port ? "port" : "vendor";
	if (u->port)
		return arena_printf(a, "at %s", u->port);
	return u->vendor && u->product ? usb_title(a, u) : NULL;
}

/* --- which these are --- */

enum found { FOUND, ABSENT, SEVERAL, UNKNOWN };

static bool is_meant(const struct domain_usb *u, const struct usb_device *d)
{
	const char *colon = strchr(d->id, ':');

	if (u->port && !streq(u->port, d->port))
		return false;
	if (u->serial && !streq(u->serial, d->serial))
		return false;
	return !u->vendor || !u->product ||
	       (colon && (size_t)(colon - d->id) == strlen(u->vendor) &&
		startswith(d->id, u->vendor) && streq(colon + 1, u->product));
}

static const struct xen_domain *running(const struct facts *f, const struct resource *r)
{
	const struct xen_facts *all = xen_facts(f);

	for (size_t i = 0; all && i < all->domains.n; i++) {
		const struct xen_domain *x = all->domains.items[i];

		if (x->state != XEN_DYING &&
		    (streq(x->mark_uuid, r->uuid) ||
		     (!x->mark_uuid && streq(x->uuid, ((const struct domain *)r->record)->uuid))))
			return x;
	}
	return NULL;
}

static bool has_now(const struct xen_domain *x, const char *port)
{
	for (size_t i = 0; x && i < x->usb.n; i++)
		if (streq(((const struct xen_usb *)x->usb.items[i])->port, port))
			return true;
	return false;
}

/* Of several that are meant the one that it has already. `ret`: those, or, of none, all there are. */
static enum found find(struct arena *a, const struct facts *f, const struct resource *r,
		       const struct domain_usb *u, const struct usb_device **ret,
		       struct list *ret_all)
{
	const struct usb_facts *all = facts_get(f, "usb");
	const struct xen_domain *x = running(f, r);
	struct list meant = {0}, others = {0};

	*ret = NULL;
	for (size_t i = 0; all && i < all->devices.n; i++) {
		struct usb_device *d = all->devices.items[i];

		if (is_meant(u, d) && (!*ret || (has_now(x, d->port) && !has_now(x, (*ret)->port))))
			*ret = d;
		if (!d->hub || is_meant(u, d))
			list_add(a, is_meant(u, d) ? &meant : &others, d);
	}
	if (ret_all)
		*ret_all = meant.n ? meant : others;
	if (!all)
		return UNKNOWN;
	if (!*ret)
		return ABSENT;
	return meant.n == 1 || has_now(x, (*ret)->port) ? FOUND : SEVERAL;
}

/* Whose place isn't known keeps what a worker was told. One that isn't plugged in is none, for now; one that could be
 * several, or that none may have, stays, so that the step that would hand it over says why not. */
const struct domain *domain_usb_wanted(struct arena *a, const struct facts *f,
				       const struct resource *r, const struct domain *d)
{
	struct domain *copy;

	if (d->usb_devices.n == 0)
		return d;
	copy = arena_alloc(a, sizeof(*copy));
	*copy = *d;
	copy->usb_devices = (struct map){0};
	for (size_t i = 0; i < d->usb_devices.n; i++) {
		const struct entry *entry = &d->usb_devices.entries[i];
		struct domain_usb *u = arena_alloc(a, sizeof(*u));
		const struct usb_device *dev;
		enum found found;

		*u = *(const struct domain_usb *)entry->value;
		found = find(a, f, r, u, &dev, NULL);
		if (found == FOUND) {
			u->at = dev->port;
			field_mark(&domain_usb_table, u, "at");
		}
		if (found == ABSENT || (found == UNKNOWN && !u->at))
			continue;
		map_add(a, &copy->usb_devices, entry->name, u);
	}
	return copy;
}

/* Whether what is wanted can't be compared with what it has: nobody knows where it is. */
static bool is_unknown(const struct facts *f, const struct domain *said)
{
	for (size_t i = 0; said && !facts_get(f, "usb") && i < said->usb_devices.n; i++)
		if (!((const struct domain_usb *)said->usb_devices.entries[i].value)->at)
			return true;
	return false;
}

static const char *name_of(struct arena *a, const struct domain *want, const char *port)
{
	char *name;

	for (size_t i = 0; want && i < want->usb_devices.n; i++)
		if (streq(((struct domain_usb *)want->usb_devices.entries[i].value)->at, port))
			return want->usb_devices.entries[i].name;
	/* A name that nobody else is likely to give. */
	name = arena_printf(a, "usb-%s", port);
	for (char *s = name; *s; s++)
		if (*s == '.')
			*s = '-';
	return name;
}

void domain_fill_usb(struct arena *a, const struct facts *f, const struct xen_domain *x,
		     const struct domain *said, const struct domain *want, struct domain *d)
{
	if (is_unknown(f, said))
		return;
	for (size_t i = 0; i < x->usb.n; i++) {
		const struct xen_usb *from = x->usb.items[i];
		struct domain_usb *u = arena_alloc(a, sizeof(*u));

		u->at = from->port;
		field_mark(&domain_usb_table, u, "at");
		map_add(a, &d->usb_devices, name_of(a, want, from->port), u);
	}
	if (d->usb_devices.n)
		field_mark(&domain_table, d, "usb_devices");
}

/* --- planning --- */

/* "1-1.2 (046d:c52b Logitech USB Receiver, serial 'A1')" */
static const char *shown(struct arena *a, const struct usb_device *d)
{
	return arena_printf(a, "%s (%s%s%.60s%s%.60s%s)", d->port, d->id, d->name ? " " : "",
			    d->name ? d->name : "", d->serial ? ", serial '" : "",
			    d->serial ? d->serial : "", d->serial ? "'" : "");
}

static const char *listed(struct arena *a, const struct list *all)
{
	const char *text = "";

	for (size_t i = 0; i < MIN_OF(all->n, (size_t)SHOWN_MAX); i++)
		text = arena_printf(a, "%s%s%s", text, i ? ", " : "", shown(a, all->items[i]));
	return all->n > SHOWN_MAX ? arena_printf(a, "%s …", text) : text;
}

static const char *whats_there(struct arena *a, const struct list *all)
{
	return all->n ? arena_printf(a, "there is %s", listed(a, all))
		      : "no USB device is plugged in at all";
}

/* Why it can't have what is meant, though that is plugged in; NULL: it can. */
static const char *unfit(struct planning *p, const struct usb_device *d, enum hold *ret)
{
	const char *title = shown(p->arena, d);

	*ret = HOLD_CONFLICT;
	if (d->hub)
		return arena_printf(p->arena,
				    "%s is a hub, which no guest can have: name what is plugged "
				    "into it",
				    title);
	return host_keeps(p, title, &d->links, &d->disks, ret);
}

static void hold_one(struct planning *p, const struct resource *want, struct step *s,
		     const struct entry *entry)
{
	const struct domain_usb *u = entry->value;
	const struct usb_device *d;
	enum hold hold = HOLD_CONFLICT;
	const char *why = NULL;
	struct list all;

	switch (find(p->arena, p->facts, want, u, &d, &all)) {
	case FOUND:
		if (!has_now(running(p->facts, want), d->port))
			why = unfit(p, d, &hold);
		break;
	case ABSENT:
		if (u->required && step_starts(s))
			why = arena_printf(p->arena,
					   "%s isn't plugged in, and the guest doesn't start "
					   "without it; %s",
					   usb_title(p->arena, u), whats_there(p->arena, &all));
		break;
	case SEVERAL:
		why = arena_printf(p->arena, "%zu are meant, %s: say its serial, or the port",
				   all.n, listed(p->arena, &all));
		break;
	case UNKNOWN:
		hold = HOLD_UNKNOWN;
		why = arena_printf(p->arena, "where it is plugged in isn't known: %s",
				   facts_unknown(p->facts, "usb"));
		break;
	}
	if (!why || !step_todo(s))
		return;
	step_hold_at(s, hold, field_span(want->record, path_of(p->arena, entry->name, NULL)),
		     arena_printf(p->arena, "USB device '%s': %s", entry->name, why));
}

void domain_hold_usb(struct planning *p, const struct resource *want, struct step *s)
{
	const struct domain *d = want->record;

	if (!step_starts(s) && !changes_has(&s->changes, "usb_devices"))
		return;
	for (size_t i = 0; i < d->usb_devices.n; i++)
		hold_one(p, want, s, &d->usb_devices.entries[i]);
	/* libxl's books are swept before one is handed over, and what is on its way there isn't to be taken for lost. */
	if (d->usb_devices.n || changes_has(&s->changes, "usb_devices"))
		s->serial = "usb";
}

/* Those that aren't plugged in, and that it runs without: "'stick' (046d:c52b)"; NULL: there is none. */
static const char *absent(struct arena *a, const struct facts *f, const struct resource *r)
{
	const struct domain *d = r->record;
	const char *text = NULL;
	const struct usb_device *dev;

	for (size_t i = 0; i < d->usb_devices.n; i++) {
		const struct entry *entry = &d->usb_devices.entries[i];

		/* Whose start it holds is told of that. */
		if (((const struct domain_usb *)entry->value)->required && !running(f, r))
			continue;
		if (find(a, f, r, entry->value, &dev, NULL) == ABSENT)
			text = arena_printf(a, "%s%s'%s' (%s)", text ? text : "", text ? ", " : "",
					    entry->name, usb_title(a, entry->value));
	}
	return text;
}

const char *domain_usb_note(struct arena *a, const struct facts *f, const struct resource *r)
{
	const char *text = absent(a, f, r);

	return text ? arena_printf(a, "without USB device %s", text) : NULL;
}

void domain_note_usb(struct planning *p, const struct resource *want)
{
	static const char word[] = "USB devices that aren't plugged in were told";
	const char *text = NULL;

	if (index_find(&p->memo, word, want->name))
		return;
	index_add(p->arena, &p->memo, word, want->name, want);
	/* Who is off misses nothing. */
	if (!domain_kept_off(want) && !domain_rest(p->arena, p->facts, want))
		text = absent(p->arena, p->facts, want);
	if (text)
		plan_note(p->plan, NOTE_WARNING, arena_printf(p->arena, "domain/%s", want->name),
			  arena_printf(p->arena,
				       "USB device %s isn't plugged in: it gets it when it is",
				       text));
}

/* --- doing --- */

/* What is plugged in now, and what dom0 does with it. */
static struct facts *look(const struct work *w)
{
	static const struct reader *const readers[] = {&reader_usb, &reader_net, &reader_disks};
	struct facts *f = facts_new();

	f->time = w->facts->time;
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		void *record = arena_alloc(f->arena, readers[i]->table->size);
		_cleanup_err_ struct err e = {0};

		if (readers[i]->read(f->arena, record, &e) < 0)
			facts_add_unknown(f, readers[i], e.message ? e.message : "failed");
		else
			facts_add_known(f, readers[i], record);
	}
	return f;
}

static int ask_one(struct work *w, const struct facts *f, const struct entry *entry,
		   struct xen_usb **ret, struct err *e)
{
	const struct domain_usb *u = entry->value;
	const struct usb_device *d = usb_find(facts_get(f, "usb"), u->at);
	const char *why;

	if (facts_unknown(f, "usb"))
		return err_set(e, -EIO, "where it is plugged in isn't known: %s",
			       facts_unknown(f, "usb"));
	if (!d || !is_meant(u, d))
		return err_set(e, -ESTALE,
			       "what was plugged in at %s isn't there any more; run apply again",
			       u->at ? u->at : "?");
	why = host_needs(w->arena, f, &d->links, &d->disks);
	if (why)
		return err_set(e, -EBUSY, "dom0 can't do without it by now: %s", why);
	*ret = arena_alloc(w->arena, sizeof(**ret));
	**ret = (struct xen_usb){
		.port = u->at,
		.bus = d->bus,
		.address = d->address,
		.label = entry->name,
	};
	return 0;
}

int domain_ask_usb(struct work *w, struct list *ret, struct err *e)
{
	const struct domain *d = w->step->want_record;
	_cleanup_facts_ struct facts *f = d->usb_devices.n ? look(w) : NULL;

	for (size_t i = 0; i < d->usb_devices.n; i++) {
		const struct entry *entry = &d->usb_devices.entries[i];
		struct xen_usb *u;
		int r = ask_one(w, f, entry, &u, e);

		if (r < 0) {
			err_at(e, "usb_devices.%s", entry->name);
			return r;
		}
		list_add(w->arena, ret, u);
	}
	return 0;
}

static int add(struct work *w, int64_t domid, const char *name, struct domain_usb *want,
	       struct err *e)
{
	const struct entry entry = {.name = name, .value = want};
	_cleanup_facts_ struct facts *f = look(w);
	struct xen_usb *u;
	int r = ask_one(w, f, &entry, &u, e);

	if (r < 0)
		return r;
	domain_progress(w, arena_printf(w->arena, "plugging in %s", name));
	return xen_usb_add(domid, u, e);
}

int domain_change_usb(struct work *w, const struct xen_domain *x, const char *name, struct err *e)
{
	const struct domain *wanted = w->step->want_record, *now = w->now->record;
	struct domain_usb *want = map_get(&wanted->usb_devices, name);
	const struct domain_usb *have = map_get(&now->usb_devices, name);
	int r = 0;

	if (have && (!want || !streq(want->at, have->at))) {
		domain_progress(w, arena_printf(w->arena, "unplugging %s", name));
		r = xen_usb_remove(x->domid, have->at, e);
	}
	if (r == 0 && want && (!have || !streq(want->at, have->at)))
		r = add(w, x->domid, name, want, e);
	if (r < 0 && e && !e->path)
		err_at(e, "usb_devices.%s", name);
	return r;
}

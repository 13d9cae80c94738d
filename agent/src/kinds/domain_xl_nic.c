/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * NICs, the bridges that they name, and PCI devices.
 */
#include "kinds/domain_xl.h"

#include <ctype.h>
#include <stdio.h>

#include "host/net.h"
#include "kinds/net_facts.h"
#include "kinds/pci.h"

#define NIC_MAX 16 /* bytes of "eth12" */

/* --- bridges --- */

/* The manifest's name of that bridge, which it declares from now on. */
static const char *bridge(struct domain_xl *x, const char *name)
{
	static const char *const reserved[] = {"all", "default", "lo"};
	struct xl_shared *all = x->all;
	const char *is;
	bool taken = false;

	for (size_t i = 0; i < all->bridge_of.n; i++)
		if (streq(all->bridge_of.items[i], name))
			return all->bridge_is.items[i];
	is = domain_xl_name(x->arena, name, NET_NAME_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		taken |= streq(is, reserved[i]);
	taken |= startswith(is, NET_TEMP);
	for (unsigned n = 0; taken || list_has(&all->bridge_is, is); n++, taken = false)
		is = arena_printf(x->arena, "br%u", n);
	list_add(x->arena, &all->bridge_of, arena_strdup(x->arena, name));
	list_add(x->arena, &all->bridge_is, (void *)is);
	emit_put(all->bridges, is, emit_new(x->arena), false);
	if (!streq(is, name))
		emit_note(all->bridges, is, "it was '%.60s', which is no name here", name);
	return is;
}

/* --- NICs --- */

struct nic {
	struct emit *out, *all;
	const char *name;
	unsigned line;
	struct span span;
	bool emulated; /* type=ioemu; xl's own of hvm guests is both */
};

/* One card has one address. */
static void mac(struct domain_xl *x, struct nic *n, const char *text)
{
	struct xl_shared *all = x->all;
	const char *own = arena_strdup(x->arena, text);
	struct diag *g;

	for (char *p = (char *)own; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	for (size_t i = 0; i < all->n_macs; i++) {
		const struct xl_mac *first = &all->macs[i];

		if (!streq(first->mac, own))
			continue;
		g = diag_warn(all->diags, "duplicate-mac", n->span,
			      "domain '%s' has the MAC address %s of domain '%s'", x->name, own,
			      first->domain);
		diag_also(all->diags, g, first->span, "first here");
		diag_help(all->diags, g, "in the manifest it gets one of its own");
		emit_note(n->all, n->name,
			  "its MAC address was %s (line %u), as domain '%s' has it", own, n->line,
			  first->domain);
		return;
	}
	if (!domain_xl_put(x, n->out, domain_nic_fields, "mac", own, n->line)) {
		domain_xl_lost(x, "this NIC's MAC address", n->span,
			       "it is none of one card; in the manifest it gets another");
		return;
	}
	all->macs = arena_grow(x->arena, all->macs, all->n_macs, sizeof(*all->macs));
	all->macs[all->n_macs++] = (struct xl_mac){own, x->name, n->span};
}

static void model(struct domain_xl *x, struct nic *n, const char *text)
{
	if (streq(text, "virtio"))
		text = "virtio-net";
	if (x->type != XEN_HVM)
		emit_note(n->all, n->name,
			  "model=%.40s (line %u): only hvm guests have a card that is emulated",
			  text, n->line);
	else
		domain_xl_put(x, n->out, domain_nic_fields, "model", text, n->line);
}

static void unused(struct nic *n, const char *key, const char *value)
{
	static const struct {
		const char *key, *why;
	} words[] = {
		{"ip", "xm's scripts let no other address out; Manor filters nothing"},
		{"rate", "what it sends isn't limited"},
		{"script", "Manor plugs it into the bridge by itself"},
		{"vifname", "Manor names it in dom0"},
		{"backend", "dom0 alone serves NICs"},
		{"gatewaydev", "NICs are bridged, not routed"},
		{"netdev", "NICs are bridged, not routed"},
		{"accel", "there are no accelerators"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!streq(words[i].key, key))
			continue;
		emit_note(n->all, n->name, "%s=%.80s (line %u): %s", key, value, n->line,
			  words[i].why);
		return;
	}
	emit_note(n->all, n->name, "%.40s=%.80s (line %u): the manifest has no word for it", key,
		  value, n->line);
}

static bool is_usual(const char *key, const char *value)
{
	return (streq(key, "script") && strstr(value, "vif-bridge")) ||
	       (streq(key, "backend") && (streq(value, "0") || streq(value, "Domain-0"))) ||
	       *value == '\0';
}

static void nic(struct domain_xl *x, struct emit *all, size_t number, const char *text,
		struct span span)
{
	struct nic n = {.all = all, .line = span.line, .span = span};
	const char *key, *value;
	bool on = false, pure = false;

	n.name = arena_printf(x->arena, "eth%zu", number);
	n.out = emit_map(all, n.name);
	while ((key = domain_xl_part(x->arena, &text, &value))) {
		if (!value) {
			if (*key)
				emit_note(all, n.name, "%.60s (line %u): not understood", key,
					  n.line);
		} else if (streq(key, "bridge") && *value) {
			emit_text(n.out, "bridge", bridge(x, value));
			on = true;
		} else if (streq(key, "mac") && *value) {
			mac(x, &n, value);
		} else if (streq(key, "model") && *value) {
			model(x, &n, value);
		} else if (streq(key, "type") &&
			   (streq(value, "vif") || streq(value, "netfront"))) {
			pure = true;
		} else if (!(streq(key, "type") && streq(value, "ioemu")) &&
			   !is_usual(key, value)) {
			unused(&n, key, value);
		}
	}
	if (!on) {
		emit_text(n.out, "bridge", bridge(x, "xenbr0"));
		emit_note(all, n.name, "line %u names no bridge: then xl took xenbr0, xm the first",
			  n.line);
	}
	if (x->type == XEN_HVM && pure)
		emit_word(n.out, "model", "none");
	else if (x->type == XEN_HVM && !emit_has(n.out, "model"))
		emit_word(n.out, "model", "rtl8139"); /* xl's and xm's where nothing is said */
	emit_order(n.out, domain_nic_fields);
}

void domain_xl_nics(struct domain_xl *x)
{
	struct xl_setting *s = domain_xl_take(x, "vif");
	const struct xl_setting *count = NULL;
	struct emit *all = NULL;
	int64_t want = 0;
	size_t n = 0;

	if (!domain_xl_is_list(x, s, "every NIC"))
		s = NULL;
	for (; s && n < s->n; n++) {
		if (!all)
			all = emit_tall(x->out, "nics");
		if (!s->items[n].text)
			domain_xl_drop(x, s, "a list within the list");
		nic(x, all, n, s->items[n].text ? s->items[n].text : "", s->items[n].span);
	}
	if (!domain_xl_number(x, "nics", &want, &count))
		return;
	if (want > NIC_MAX || want < -1) {
		domain_xl_drop(x, count, "so many cards no guest has");
		return;
	}
	for (; (int64_t)n < want; n++) {
		if (!all)
			all = emit_tall(x->out, "nics");
		nic(x, all, n, "", count->span);
	}
}

/* --- PCI devices --- */

/* The domain of an earlier configuration that has it, or NULL: only one can, though both files are there. */
static const char *pci_taken(struct domain_xl *x, const char *address)
{
	for (size_t i = 0; i < x->all->pci.n; i++)
		if (streq(x->all->pci.items[i], address))
			return x->all->pci_of.items[i];
	list_add(x->arena, &x->all->pci, (void *)address);
	list_add(x->arena, &x->all->pci_of, (void *)x->name);
	return NULL;
}

/* "00:0a.0", "0000:00:0a.0@7" → "0000:00:0a.0"; NULL: it is none. */
static const char *pci_address(struct arena *a, const char *text)
{
	struct decode c = {.arena = a};
	const char *address;

	text = arena_strndup(a, text, strcspn(text, "@"));
	return parse_pci_address(&c, NULL, text, &address, NULL) == 0 ? address : NULL;
}

static void pci_flag(struct domain_xl *x, struct emit *out, const char *key, const char *value,
		     bool on, unsigned line)
{
	if (value)
		on = streq(value, "1");
	if (on)
		domain_xl_put(x, out, &domain_pci_table, key, "true", line);
}

/* `all_…`: what holds where the device itself says nothing. */
static void pci_device(struct domain_xl *x, const struct xl_setting *s, size_t number,
		       bool all_permissive, bool all_seize)
{
	const char *rest = s->items[number].text ? s->items[number].text : "";
	unsigned line = s->items[number].span.line;
	const char *key, *value, *permissive = NULL, *seize = NULL, *address, *other;
	const char *said = domain_xl_part(x->arena, &rest, &value);
	_cleanup_str_ struct str words = {0};
	struct emit *all, *out;
	const char *name;

	address = said && !value ? pci_address(x->arena, said) : NULL;
	if (!address) {
		domain_xl_drop(x, s, "'%.60s' is no device's address",
			       s->items[number].text ? s->items[number].text : "");
		domain_xl_lost(x, "this PCI device", s->items[number].span,
			       "it is no device's address, such as 00:1b.0");
		return;
	}
	other = pci_taken(x, address);
	if (other) {
		domain_xl_drop(x, s, "%s is %s's, and can be one's alone", address, other);
		domain_xl_lost(x, "this PCI device", s->items[number].span,
			       arena_printf(x->arena, "it is %s's, and can be one's alone", other));
		return;
	}
	x->pci = true;
	all = emit_tall(x->out, "pci");
	name = arena_printf(x->arena, "pci%zu", number);
	out = emit_map(all, name);
	emit_text(out, "address", address);
	while ((key = domain_xl_part(x->arena, &rest, &value)))
		if (streq(key, "permissive") && value)
			permissive = value;
		else if (streq(key, "seize") && value)
			seize = value;
		else if (*key)
			str_addf(&words, "%s%.40s%s%.40s", words.n ? ", " : "", key,
				 value ? "=" : "", value ? value : "");
	if (strchr(said, '@'))
		str_addf(&words, "%sthe slot '%.20s' that the guest sees it in",
			 words.n ? ", " : "", strchr(said, '@'));
	pci_flag(x, out, "permissive", permissive, all_permissive, line);
	pci_flag(x, out, "seize", seize, all_seize, line);
	if (words.n)
		emit_note(all, name, "left out (line %u): %s", line, words.s);
}

void domain_xl_pci(struct domain_xl *x)
{
	struct xl_setting *s = domain_xl_take(x, "pci");
	bool permissive = domain_xl_flag(x, "pci_permissive", false);
	bool seize = domain_xl_flag(x, "pci_seize", false);

	if (!domain_xl_is_list(x, s, "every PCI device"))
		s = NULL;
	if (s && s->n && x->type == XEN_PVH) {
		domain_xl_drop(x, s, "Xen can give none to a pvh guest: say type: pv");
		domain_xl_lost(x, "every PCI device", s->span, "Xen can give none to a pvh guest");
		s = NULL;
	}
	for (size_t i = 0; s && i < s->n; i++)
		pci_device(x, s, i, permissive, seize);
	if (x->pci && x->type == XEN_PV)
		domain_xl_flag(x, "e820_host", true); /* as it is with a device, anyway */
}

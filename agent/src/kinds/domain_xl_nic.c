/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * NICs, the bridges that they name, and PCI devices.
 */
#include "kinds/domain_xl.h"

#include <ctype.h>
#include <stdio.h>

#include "host/net.h"
#include "kinds/net_facts.h"

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
	if (!domain_xl_put(x, n->out, domain_nic_fields, "mac", own, n->line))
		return;
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

	if (s && s->text) {
		if (*s->text)
			domain_xl_drop(x, s, "one text, where a list belongs");
		s = NULL;
	}
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

/* "00:0a.0", "0000:00:0a.0@7,permissive=1" → "0000:00:0a.0", and what stands behind it; NULL: none is meant. */
static const char *pci_address(struct arena *a, const char *text, const char **ret_rest)
{
	unsigned domain = 0, bus, slot, function;
	int n = 0;

	if (sscanf(text, "%4x:%2x:%2x.%1u%n", &domain, &bus, &slot, &function, &n) != 4) {
		domain = n = 0;
		if (sscanf(text, "%2x:%2x.%1u%n", &bus, &slot, &function, &n) != 3)
			return NULL;
	}
	if (function > 7 || slot > 31)
		return NULL;
	text += n;
	text += strcspn(text, ",");
	*ret_rest = text + (*text == ',');
	return arena_printf(a, "%04x:%02x:%02x.%u", domain, bus, slot, function);
}

/* A field that a domain doesn't have yet: as it will be, for whoever takes the '#' away then. `words`: what has no
 * counterpart. */
static void pci_device(struct domain_xl *x, const struct xl_setting *s, size_t number,
		       struct str *words)
{
	const char *text = s->items[number].text, *rest = "", *key, *value;
	const char *address = text ? pci_address(x->arena, text, &rest) : NULL;
	_cleanup_str_ struct str flags = {0};

	if (!address) {
		str_addf(words, "%s'%.60s', which is no address", words->n ? ", " : "",
			 text ? text : "");
		return;
	}
	while ((key = domain_xl_part(x->arena, &rest, &value)))
		if ((streq(key, "permissive") || streq(key, "seize")) && streq(value, "1"))
			str_addf(&flags, ", %s: true", key);
		else if (!streq(value, "0") && *key)
			str_addf(words, "%s%.40s of %s", words->n ? ", " : "", key, address);
	emit_note(x->out, NULL, "  pci%zu: {address: \"%s\"%s}", number, address, str_get(&flags));
}

void domain_xl_pci(struct domain_xl *x)
{
	struct xl_setting *s = domain_xl_take(x, "pci");
	_cleanup_str_ struct str words = {0};

	if (!s)
		return;
	if (s->text) {
		if (*s->text)
			domain_xl_drop(x, s, "one text, where a list belongs");
		return;
	}
	if (!s->n)
		return;
	emit_note(x->out, NULL,
		  "PCI devices (line %u) can't be handed over yet; this is how:", s->span.line);
	emit_note(x->out, NULL, "pci:");
	for (size_t i = 0; i < s->n; i++)
		pci_device(x, s, i, &words);
	if (words.n)
		emit_note(x->out, NULL, "left out there (line %u): %s", s->span.line, words.s);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where the screens of domains are: a port of an address is one's alone.
 */
#include <arpa/inet.h>

#include "base/num.h"
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"

struct screen {
	const char *address; /* NULL: all that the host has */
	int64_t port;
};

/* The one way of writing it; NULL: all of them. What is no address was understood by QEMU, and may be any. */
static const char *address_of(struct arena *a, const char *text)
{
	char ip[INET6_ADDRSTRLEN];
	unsigned char raw[sizeof(struct in6_addr)];
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	if (streq(text, "localhost"))
		return "127.0.0.1";
	if (inet_pton(family, text, raw) != 1 || !inet_ntop(family, raw, ip, sizeof(ip)) ||
	    streq(ip, "0.0.0.0") || streq(ip, "::"))
		return NULL;
	return arena_strdup(a, ip);
}

/* "127.0.0.1:5900", "[::1]:5900"; and xl's own "[0.0.0.0:3]:5903", whose display the port has already */
static bool read_now(struct arena *a, const char *text, struct screen *ret)
{
	const char *colon = strrchr(text, ':');
	bool brackets = *text == '[' && colon && colon > text + 1 && colon[-1] == ']';
	char *host, *inner;

	if (!colon || num_parse_int(colon + 1, 1, 65535, &ret->port) < 0)
		return false;
	host = arena_strndup(a, text + brackets, (size_t)(colon - text) - 2 * brackets);
	inner = strchr(host, ':');
	if (inner && strchr(host, '.') && inner == strrchr(host, ':'))
		*inner = '\0';
	ret->address = address_of(a, host);
	return true;
}

static bool says_display(const struct domain *d)
{
	return field_is_set(&domain_vnc_table, &d->vnc, "display");
}

/* Of a running one where it is, else where it is to be; false: nowhere, or wherever there is room. */
static bool screen_of(struct arena *a, const struct domain *d, struct screen *ret)
{
	const struct domain_vnc *v = &d->vnc;

	if (d->vnc_now)
		return read_now(a, d->vnc_now, ret);
	if (!v->enabled || !v->address || !says_display(d))
		return false;
	*ret = (struct screen){address_of(a, v->address), XEN_VNC_PORT + v->display};
	return true;
}

static void claim(struct arena *a, struct list *ret, const char *what, const struct screen *s,
		  bool shared)
{
	struct claim *c = arena_alloc(a, sizeof(*c));

	*c = (struct claim){
		.what = what,
		.name = arena_printf(a, "VNC display %lld (port %lld)",
				     (long long)(s->port - XEN_VNC_PORT), (long long)s->port),
		.shared = shared,
		.at_start = true,
	};
	list_add(a, ret, c);
}

/* Who listens at one address shares the port with those at others; who listens at all has it alone. */
void domain_claim_screen(struct arena *a, const struct domain *d, struct list *ret)
{
	struct screen s;

	if (!screen_of(a, d, &s))
		return;
	claim(a, ret, arena_printf(a, "VNC port %lld", (long long)s.port), &s, s.address);
	if (s.address)
		claim(a, ret, arena_printf(a, "VNC port %lld of %s", (long long)s.port, s.address),
		      &s, false);
}

static bool overlap(const struct screen *a, const struct screen *b)
{
	return a->port == b->port && (!a->address || !b->address || streq(a->address, b->address));
}

/* Where it is said, and of one whose template says it, who says no other: its own name. */
static void say(struct manifest *m, const struct resource *r, const struct resource *o)
{
	struct span here = field_span(r->record, "vnc.display");
	struct span there = field_span(o->record, "vnc.display");
	const struct domain *d = r->record;
	int cmp = span_cmp(&here, &there);
	struct diag *g;

	if (cmp < 0) {
		say(m, o, r);
		return;
	}
	g = diag_error(m->diags, "duplicate-display", cmp ? here : r->span,
		       "%s and %s have their screens at the same port %lld, of VNC display %lld",
		       resource_title(m->arena, o), resource_title(m->arena, r),
		       (long long)(XEN_VNC_PORT + d->vnc.display), (long long)d->vnc.display);
	diag_also(m->diags, g, there, "first here");
	diag_help(m->diags, g,
		  "give it another display, or leave it out: then one that is free is taken");
}

/* Who names none takes one of the longest run that nobody names: whoever starts first, each gets its own. */
static void keep_off_named(struct manifest *m)
{
	bool named[DISPLAY_MAX + 1] = {0};
	int64_t from = 0, longest = 0;

	for (size_t i = 0; i < m->n_resources; i++) {
		const struct domain *d = m->resources[i]->record;

		if (m->resources[i]->kind == &kind_domain && d->vnc.enabled && says_display(d))
			named[d->vnc.display] = true;
	}
	for (int64_t i = 0, n = 0; i <= DISPLAY_MAX; i++) {
		n = named[i] ? 0 : n + 1;
		if (n > longest) {
			longest = n;
			from = i - n + 1;
		}
	}
	for (size_t i = 0; from && i < m->n_resources; i++) {
		struct domain *d = m->resources[i]->record;

		if (m->resources[i]->kind != &kind_domain || !d->vnc.enabled || says_display(d))
			continue;
		d->displays_from = from;
		field_mark(&domain_table, d, "displays_from");
	}
}

void domain_check_screens(struct manifest *m)
{
	struct screen *all = arena_alloc(m->arena, (m->n_resources + 1) * sizeof(*all));

	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];

		all[i].port = 0;
		if (r->kind != &kind_domain || !screen_of(m->arena, r->record, &all[i]))
			continue;
		for (size_t k = 0; k < i; k++) {
			if (!overlap(&all[k], &all[i]))
				continue;
			say(m, r, m->resources[k]);
			break;
		}
	}
	keep_off_named(m);
}

void domain_fill_screen(const struct xen_domain *x, struct domain *d)
{
	if (!x->vnc)
		return;
	d->vnc_now = x->vnc;
	field_mark(&domain_table, d, "vnc_now");
}

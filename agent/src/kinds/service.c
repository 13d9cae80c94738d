/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The host's own services, of host.ssh and host.time: what the manifest says nothing of isn't running, and so no port
 * is open but what it opens.
 */
#include <errno.h>

#include "base/ident.h"
#include "host/services.h"
#include "kinds/bridge.h"
#include "kinds/kinds.h"
#include "kinds/reading.h"

TABLE(service_table, service, "service", "One of the host's own services.",
      ROW(service, running, FIELD_BOOL, .flags = FIELD_DERIVED, .impact = IMPACT_LIVE,
	  .doc = "Whether it runs."),
      ROW(service, keys, FIELD_LIST, .flags = FIELD_DERIVED | FIELD_UNORDERED, .impact = IMPACT_LIVE,
	  .doc = "Public keys of those who may log in."),
      ROW(service, listen, FIELD_LIST, .flags = FIELD_DERIVED | FIELD_UNORDERED, .impact = IMPACT_LIVE,
	  .doc = "Ports that it listens on, with the address where it is one alone."),
      ROW(service, servers, FIELD_LIST, .flags = FIELD_DERIVED, .impact = IMPACT_LIVE,
	  .doc = "Servers that it asks."),
      ROW(service, there, FIELD_BOOL, .flags = FIELD_STATUS, .doc = "Whether this host has it."));

TABLE(services_table, service_facts, "services", "The host's own services.",
      ROW(service_facts, services, FIELD_MAP, .sub = &service_table, .doc = "By name."));

READER(services, services_read, services_table, 30000,
       "The host's own services, ssh and time: whether they run, and what they are told.",
       .at_hand = true);

/* ---- the manifest ---- */

static struct resource *imply(struct manifest *m, const char *name)
{
	struct resource *r =
		manifest_imply(m, NULL, "service", name, node_key(m->host.rec.node, name));

	if (r)
		r->prepared = true;
	return r;
}

static void wanted(struct resource *r, const struct list *keys, const struct list *listen,
		   const struct list *servers)
{
	struct service *s = r->record;

	s->running = true;
	s->keys = keys ? *keys : s->keys;
	s->listen = listen ? *listen : s->listen;
	s->servers = servers ? *servers : s->servers;
	field_mark(&service_table, s, "running");
	field_mark(&service_table, s, "keys");
	field_mark(&service_table, s, "listen");
	field_mark(&service_table, s, "servers");
}

/* One client a bridge that asks for it. */
static void check_dhcp(struct manifest *m)
{
	size_t n = m->n_resources;

	for (size_t i = 0; i < n; i++) {
		struct resource *bridge = m->resources[i], *r;
		const struct bridge *b = bridge->record;

		if (bridge->kind != &kind_bridge || !b->dhcp4)
			continue;
		r = manifest_imply(m, bridge, "service",
				   arena_printf(m->arena, "%s-%s", SERVICE_DHCP4, bridge->name),
				   node_key(b->rec.node, "dhcp4"));
		if (!r)
			continue;
		r->prepared = true;
		wanted(r, NULL, NULL, NULL);
		resource_needs(m, r, bridge);
	}
}

/* An address that a bridge brings is there once the bridge is. */
static void needs_bridges(struct manifest *m, struct resource *r, const struct list *addresses)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		struct resource *other = m->resources[i];
		const struct bridge *b = other->record;

		if (other->kind != &kind_bridge)
			continue;
		for (size_t k = 0; k < addresses->n; k++)
			for (size_t n = 0; n < b->addresses.n; n++) {
				const char *address = addresses->items[k],
					   *cidr = b->addresses.items[n];

				if (startswith(cidr, address) && cidr[strlen(address)] == '/')
					resource_needs(m, r, other);
			}
	}
}

/* Some, and not too many. */
static void counted(struct manifest *m, const struct table *t, const void *record,
		    const char *field, const struct list *l, size_t most)
{
	if (l->n > most)
		diag_error(m->diags, "too-many", field_span(record, field), "%zu %s: at most %zu",
			   l->n, field, most);
	else if (l->n == 0 && field_is_set(t, record, field))
		diag_error(m->diags, "empty", field_span(record, field),
			   "no %s: leave out the whole of '%s', and it doesn't run", field,
			   t->name);
}

static void check(struct manifest *m)
{
	const struct host_ssh *ssh = &m->host.ssh;
	const struct host_time *time = &m->host.time;
	struct resource *r;

	if (ssh->rec.node && (r = imply(m, "ssh"))) {
		struct list listen = {0};

		for (size_t i = 0; i < ssh->listen.n; i++) {
			const char *address = ssh->listen.items[i];
			bool six = strchr(address, ':');

			list_add(m->arena, &listen,
				 arena_printf(m->arena, "%s%s%s:%d", six ? "[" : "", address,
					      six ? "]" : "", (int)ssh->port));
		}
		if (listen.n == 0)
			list_add(m->arena, &listen, arena_printf(m->arena, "%d", (int)ssh->port));
		counted(m, &ssh_table, ssh, "keys", &ssh->keys, SERVICE_KEYS_MAX);
		counted(m, &ssh_table, ssh, "listen", &ssh->listen, SERVICE_LISTEN_MAX);
		wanted(r, &ssh->keys, &listen, NULL);
		needs_bridges(m, r, &ssh->listen);
	}
	if (time->rec.node && (r = imply(m, "time"))) {
		counted(m, &time_table, time, "servers", &time->servers, SERVICE_SERVERS_MAX);
		wanted(r, NULL, NULL, &time->servers);
	}
	check_dhcp(m);
}

/* ---- what is there ---- */

static void actual(struct arena *a, const struct facts *f, const struct manifest *m,
		   struct actuals *ret)
{
	const struct service_facts *all = facts_get(f, "services");

	for (size_t i = 0; i < all->services.n; i++) {
		const char *name = all->services.entries[i].name;
		const struct service *s = all->services.entries[i].value;
		char uuid[UUID_TEXT] = "";
		struct actual *x;
		bool told = s->keys.n + s->listen.n + s->servers.n ||
			    startswith(name, SERVICE_DHCP4 "-");

		if (!s->there || (!s->running && !told))
			continue;
		x = actual_add(a, ret, &kind_service, name);
		*(struct service *)x->record = *s;
		x->data = s;
		x->state = s->running ? "running" : "stopped";
		if (m && m->namespace) {
			ident_uuid(m->namespace, "service", name, uuid);
			x->uuid = arena_strdup(a, uuid);
		} else {
			x->foreign = true;
		}
	}
}

static void decide(struct planning *p, const struct resource *want, const struct actual *have,
		   struct step *step)
{
	const struct service_facts *all = facts_get(p->facts, "services");
	const struct service *s;
	bool dhcp;

	if (!step)
		return;
	step->timeout_s = 60;
	dhcp = startswith(step->name, SERVICE_DHCP4);
	s = all ? map_get(&all->services, dhcp ? SERVICE_DHCP4 : step->name) : NULL;
	if (want && all && (!s || !s->there))
		step_hold(
			step, HOLD_CONFLICT,
			arena_printf(
				p->arena,
				"only Manor's appliance has this service, and this host is another: set "
				"up what it has of its own, and leave out %s",
				dhcp ? "dhcp4" : arena_printf(p->arena, "host.%s", step->name)));
	if (!want && dhcp)
		step->loses = "the addresses that it brought, and their routes";
	if (!want && streq(have->name, "ssh"))
		step->loses = "logins by ssh; those who are logged in stay so";
}

static int apply(struct work *w, struct err *e)
{
	const struct service *want = w->step->want_record;

	if (w->step->action == ACTION_REMOVE)
		return service_stop(w->step->name, e);
	return service_start(w->step->name, want, e);
}

static const char *const readers[] = {"services", NULL};

const struct kind kind_service = {
	.name = "service",
	.table = &service_table,
	.readers = readers,
	.check = check,
	.actual = actual,
	.decide = decide,
	.apply = apply,
};

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * host/services.h over services in memory.
 */
#include "host/services.h"

#include "tests/fake/fake.h"

static struct arena *arena;
static struct service_facts host;
const char *services_root = "";

static void fill(struct arena *a, const struct service *from, struct service *ret)
{
	*ret = (struct service){
		.there = from->there,
		.running = from->running,
		.keys = fake_strings(a, &from->keys),
		.listen = fake_strings(a, &from->listen),
		.servers = fake_strings(a, &from->servers),
	};
}

static void copy(struct arena *a, const struct service_facts *from, struct service_facts *ret)
{
	*ret = (struct service_facts){0};
	for (size_t i = 0; i < from->services.n; i++) {
		struct service *s = arena_alloc(a, sizeof(*s));

		fill(a, from->services.entries[i].value, s);
		map_add(a, &ret->services, arena_strdup(a, from->services.entries[i].name), s);
	}
}

void fake_services_load(const struct service_facts *f)
{
	static const struct service_facts none;

	arena_free(arena);
	arena = arena_new();
	copy(arena, f ? f : &none, &host);
}

int services_read(struct arena *a, struct service_facts *ret, struct err *e)
{
	copy(a, &host, ret);
	return 0;
}

/* NULL, having said so: this host hasn't got it. A client of DHCP's comes into being with its start. */
static struct service *of(const char *name, struct err *e)
{
	bool dhcp = startswith(name, SERVICE_DHCP4 "-");
	const struct service *any = map_get(&host.services, dhcp ? SERVICE_DHCP4 : name);
	struct service *s = map_get(&host.services, name);

	if (!any || !any->there) {
		err_text(e, "this host has no service '%s'", name);
		return NULL;
	}
	if (!s) {
		s = arena_alloc(arena, sizeof(*s));
		map_add(arena, &host.services, arena_strdup(arena, name), s);
	}
	return s;
}

int service_start(const char *name, const struct service *want, struct err *e)
{
	struct service *s = of(name, e);

	if (!s)
		return -ENOENT;
	FAKE_FAIL(e);
	fill(arena, want, s);
	s->there = s->running = true;
	return 0;
}

int service_stop(const char *name, struct err *e)
{
	struct service *s = of(name, e);

	if (!s)
		return -ENOENT;
	FAKE_FAIL(e);
	/* A client of DHCP's is gone then, the others merely off. */
	*s = (struct service){.there = !startswith(name, SERVICE_DHCP4 "-")};
	return 0;
}

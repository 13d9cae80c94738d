/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * host/intent.h in memory.
 */
#include "host/intent.h"

#include <errno.h>

#include "tests/fake/fake.h"

const char *const intent_stop_words[] = {"no",      "by-hand",  "inside", "saved",
					 "crashed", "watchdog", NULL};

static struct arena *arena;
static struct intent_facts host;

static struct intent_domain *copy_one(struct arena *a, const struct intent_domain *from)
{
	struct intent_domain *to = arena_alloc(a, sizeof(*to));

	*to = *from;
	to->rec = (struct record){0};
	to->uuid = arena_strdup(a, from->uuid);
	to->boot_id = arena_strdup(a, from->boot_id);
	to->digest = arena_strdup(a, from->digest);
	return to;
}

static void copy(struct arena *a, const struct intent_facts *from, struct intent_facts *ret)
{
	*ret = (struct intent_facts){0};
	for (size_t i = 0; i < from->domains.n; i++)
		map_add(a, &ret->domains, arena_strdup(a, from->domains.entries[i].name),
			copy_one(a, from->domains.entries[i].value));
}

void fake_intent_load(const struct intent_facts *f)
{
	arena_free(arena);
	arena = arena_new();
	host = (struct intent_facts){0};
	if (f)
		copy(arena, f, &host);
	fake_save_load(f ? &f->saved : NULL);
}

int intent_read(struct arena *a, struct intent_facts *ret, struct err *e)
{
	copy(a, &host, ret);
	return 0;
}

static void drop(const char *name)
{
	struct map kept = {0};

	for (size_t i = 0; i < host.domains.n; i++)
		if (!streq(host.domains.entries[i].name, name))
			map_add(arena, &kept, host.domains.entries[i].name,
				host.domains.entries[i].value);
	host.domains = kept;
}

/* The domain's file, anew where it was another's or another boot's. */
static struct intent_domain *of(const struct intent_who *who)
{
	struct intent_domain *i = map_get(&host.domains, who->name);

	if (i && streq(i->uuid, who->uuid) && streq(i->boot_id, who->boot_id))
		return i;
	drop(who->name);
	i = arena_alloc(arena, sizeof(*i));
	i->uuid = arena_strdup(arena, who->uuid);
	i->boot_id = arena_strdup(arena, who->boot_id);
	map_add(arena, &host.domains, arena_strdup(arena, who->name), i);
	return i;
}

int intent_stop(const struct intent_who *who, enum intent_stop how, const char *digest,
		int64_t timeout_s, struct err *e)
{
	struct intent_domain *i;

	FAKE_FAIL(e);
	i = of(who);
	if (i->stopped != (int)how)
		i->since = who->now;
	i->stopped = how;
	i->digest = arena_strdup(arena, digest);
	i->timeout = timeout_s > 0 ? (uint64_t)timeout_s : 0;
	i->at_once = timeout_s == 0;
	i->restart_domid = i->paused_domid = i->unpaused_domid = i->crashes = i->crashed = 0;
	return 0;
}

int intent_start(const struct intent_who *who, struct err *e)
{
	FAKE_FAIL(e);
	drop(who->name);
	return 0;
}

int intent_adopt(const struct intent_who *who, int64_t domid, struct err *e)
{
	FAKE_FAIL(e);
	drop(who->name);
	of(who)->adopt_domid = domid;
	return 0;
}

int intent_restart(const struct intent_who *who, int64_t domid, int64_t timeout_s, struct err *e)
{
	struct intent_domain *i;

	FAKE_FAIL(e);
	drop(who->name);
	i = of(who);
	i->restart_domid = domid;
	i->timeout = timeout_s > 0 ? (uint64_t)timeout_s : 0;
	i->at_once = timeout_s == 0;
	return 0;
}

int intent_pause(const struct intent_who *who, int64_t domid, struct err *e)
{
	struct intent_domain *i;

	FAKE_FAIL(e);
	i = of(who);
	i->paused_domid = domid;
	i->unpaused_domid = 0;
	i->since = who->now;
	return 0;
}

int intent_unpause(const struct intent_who *who, int64_t domid, struct err *e)
{
	struct intent_domain *i;

	FAKE_FAIL(e);
	i = of(who);
	i->paused_domid = 0;
	i->unpaused_domid = domid;
	return 0;
}

int intent_crash(const struct intent_who *who, int64_t crashes, struct err *e)
{
	struct intent_domain *i;

	FAKE_FAIL(e);
	i = of(who);
	i->crashes = crashes;
	i->crashed = who->now;
	return 0;
}

int intent_forget(const char *name, struct err *e)
{
	FAKE_FAIL(e);
	drop(name);
	return 0;
}

int intent_discard(const struct intent_who *who, struct err *e)
{
	FAKE_FAIL(e);
	drop(who->name);
	of(who)->discard_saved = true;
	return 0;
}

int intent_rebuild(const struct intent_who *who, struct err *e)
{
	FAKE_FAIL(e);
	drop(who->name);
	of(who)->rebuild = true;
	return 0;
}

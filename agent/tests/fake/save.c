/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * host/save.h in memory: what is written, placed, used up.
 */
#include "host/save.h"

#include <errno.h>

#include "tests/fake/fake.h"

struct saving {
	const char *name;
	struct saved_domain *saved;
};

static struct arena *arena;
static struct map host;

static struct saved_domain *copy_one(struct arena *a, const struct saved_domain *from)
{
	struct saved_domain *to = arena_alloc(a, sizeof(*to));

	*to = *from;
	to->rec = (struct record){0};
	to->uuid = arena_strdup(a, from->uuid);
	to->boot_id = arena_strdup(a, from->boot_id);
	to->domain = arena_strdup(a, from->domain);
	to->why = arena_strdup(a, from->why);
	return to;
}

static void copy(struct arena *a, const struct map *from, struct map *ret)
{
	*ret = (struct map){0};
	for (size_t i = 0; i < from->n; i++) {
		const struct saved_domain *s = from->entries[i].value;

		if (s->whole || s->used || s->failed)
			map_add(a, ret, arena_strdup(a, from->entries[i].name), copy_one(a, s));
	}
}

void fake_save_load(const struct map *saved)
{
	arena_free(arena);
	arena = arena_new();
	host = (struct map){0};
	if (saved)
		copy(arena, saved, &host);
}

bool fake_saved(const char *name)
{
	const struct saved_domain *s = map_get(&host, name);

	return s && s->whole;
}

int save_read(struct arena *a, struct map *ret, struct err *e)
{
	copy(a, &host, ret);
	return 0;
}

const char *save_path(struct arena *a, const char *name)
{
	return arena_printf(a, "/var/lib/manor/save/%s.save", name);
}

int save_room(uint64_t bytes, struct err *e)
{
	return 0;
}

static struct saved_domain *of(const char *name)
{
	struct saved_domain *s = map_get(&host, name);

	if (!s) {
		s = arena_alloc(arena, sizeof(*s));
		map_add(arena, &host, arena_strdup(arena, name), s);
	}
	return s;
}

int save_begin(const char *name, const struct saved_domain *header, uint64_t bytes,
	       struct saving **ret, struct err *e)
{
	FAKE_FAIL(e);
	*ret = xcalloc(1, sizeof(**ret));
	(*ret)->name = name;
	(*ret)->saved = copy_one(arena, header);
	(*ret)->saved->size = bytes;
	return 0;
}

int saving_fd(const struct saving *s)
{
	return -1;
}

int save_place(struct saving *s, struct err *e)
{
	struct saved_domain *to;
	bool used;

	FAKE_FAIL(e);
	to = of(s->name);
	used = to->used;
	*to = *s->saved;
	to->whole = true;
	to->used = used;
	/* Its name is there, and whether that lasts isn't known. */
	return fake_turn("save_place (afterwards)", e);
}

void saving_free(struct saving *s)
{
	free(s);
}

void saving_freep(struct saving **s)
{
	saving_free(*s);
}

int save_sync_disk(const char *path, struct err *e)
{
	return fake_turn(__func__, e);
}

const char *save_disk_id(struct arena *a, const char *path)
{
	return arena_printf(a, "id of %s", path);
}

int save_open(const char *name, int *ret_fd, struct err *e)
{
	if (!fake_saved(name))
		return err_set(e, -ENOENT, "nothing is saved of %s", name);
	*ret_fd = -1;
	return 0;
}

int save_use(const char *name, struct err *e)
{
	FAKE_FAIL(e);
	of(name)->whole = false;
	of(name)->used = true;
	return fake_turn("save_use (afterwards)", e);
}

int save_unuse(const char *name, struct err *e)
{
	FAKE_FAIL(e);
	of(name)->whole = true;
	of(name)->used = false;
	return 0;
}

int save_set_aside(const char *name, struct err *e)
{
	FAKE_FAIL(e);
	of(name)->whole = false;
	of(name)->failed = true;
	return 0;
}

int save_discard(const char *name, struct err *e)
{
	if (!fake_saved(name))
		return 0;
	FAKE_FAIL(e);
	of(name)->whole = false;
	return 0;
}

int save_forget(const char *name, struct err *e)
{
	const struct saved_domain *s = map_get(&host, name);

	if (!s || !s->used)
		return 0;
	FAKE_FAIL(e);
	of(name)->used = false;
	return 0;
}

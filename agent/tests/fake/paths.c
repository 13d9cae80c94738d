/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * host/paths.h and host/disk_file.h over files in memory. A path that no state was loaded for is absent, in a
 * folder that is there, on a file system with room.
 */
#include "host/paths.h"

#include <errno.h>

#include "host/disk_file.h"
#include "tests/fake/fake.h"

const char *const path_type_words[] = {"absent", "file", "device", "folder", "other", NULL};

#define FREE (UINT64_C(100) << 30)

static struct arena *arena;
static struct list state; /* of struct path_state */

static struct path_state *copy(struct arena *a, const struct path_state *from)
{
	struct path_state *to = arena_alloc(a, sizeof(*to));

	*to = *from;
	to->rec = (struct record){0};
	to->path = arena_strdup(a, from->path);
	to->id = arena_strdup(a, from->id);
	to->base = arena_strdup(a, from->base);
	to->kernel = arena_strdup(a, from->kernel);
	to->initrd = arena_strdup(a, from->initrd);
	to->why = arena_strdup(a, from->why);
	return to;
}

void fake_paths_load(const struct path_facts *f)
{
	struct arena *old = arena; /* `f` may be our own */
	struct list fresh = {0};

	arena = arena_new();
	for (size_t i = 0; f && i < f->paths.n; i++)
		list_add(arena, &fresh, copy(arena, f->paths.items[i]));
	state = fresh;
	arena_free(old);
}

static struct path_state *find(const char *path)
{
	for (size_t i = 0; i < state.n; i++)
		if (streq(((struct path_state *)state.items[i])->path, path))
			return state.items[i];
	return NULL;
}

int paths_read(struct arena *a, const struct list *paths, struct path_facts *ret, struct err *e)
{
	for (size_t i = 0; i < paths->n; i++) {
		const struct path_state *s = find(paths->items[i]);
		struct path_state none = {.path = paths->items[i], .folder = true, .free = FREE};

		list_add(a, &ret->paths, copy(a, s ? s : &none));
	}
	return 0;
}

const char *path_id(struct arena *a, const char *path)
{
	const struct path_state *s = find(path);

	return s ? arena_strdup(a, s->id) : NULL;
}

int disk_file_make(const struct disk_file_request *q, struct err *e)
{
	struct path_state *s = find(q->path);

	FAKE_FAIL(e);
	if (s && s->type != PATH_ABSENT)
		return err_set(e, -EEXIST, "%s is there by now", q->path);
	if (!s) {
		if (!arena)
			arena = arena_new();
		s = arena_alloc(arena, sizeof(*s));
		list_add(arena, &state, s);
	}
	*s = (struct path_state){
		.path = arena_strdup(arena, q->path),
		.type = PATH_FILE,
		.size = q->size ? q->size : UINT64_C(16) << 20,
		.id = arena_printf(arena, "file 8:1 %zu", state.n),
		.base = arena_strdup(arena, q->base),
		.kernel = arena_strdup(arena, q->kernel),
		.initrd = arena_strdup(arena, q->initrd),
		.folder = true,
		.free = FREE,
	};
	return 0;
}

int disk_file_aside(const char *path, const char *suffix, struct err *e)
{
	struct path_state *s = find(path);

	FAKE_FAIL(e);
	if (s)
		s->path = arena_printf(arena, "%s.%s", path, suffix);
	return 0;
}

int disk_file_grow(const char *path, uint64_t size, struct err *e)
{
	struct path_state *s = find(path);

	FAKE_FAIL(e);
	if (!s || s->type != PATH_FILE)
		return err_set(e, -ENOENT, "open %s: No such file or directory", path);
	s->size = MAX_OF(s->size, size);
	return 0;
}

int swap_make(const char *path, const char *uuid, struct err *e)
{
	FAKE_FAIL(e);
	return 0;
}

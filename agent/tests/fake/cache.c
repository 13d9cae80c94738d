/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The cache of boot files in memory.
 */
#include "host/cache.h"

#include <errno.h>

#include "fake.h"

const char *cache_dir = CACHE_DIR;

static struct arena *arena;
static struct cache_facts state;

static void copy(struct arena *a, const struct cache_facts *from, struct cache_facts *ret)
{
	for (size_t i = 0; i < from->files.n; i++) {
		const struct cache_file *f = from->files.entries[i].value;
		struct cache_file *mine = arena_alloc(a, sizeof(*mine));

		mine->size = f->size;
		mine->unpacked = f->unpacked;
		map_add(a, &ret->files, arena_strdup(a, from->files.entries[i].name), mine);
	}
	for (size_t i = 0; i < from->images.n; i++) {
		const struct cache_image *f = from->images.entries[i].value;
		struct cache_image *mine = arena_alloc(a, sizeof(*mine));

		mine->size = f->size;
		mine->held = f->held;
		map_add(a, &ret->images, arena_strdup(a, from->images.entries[i].name), mine);
	}
}

void fake_cache_load(const struct cache_facts *f)
{
	struct arena *old = arena; /* `f` may be our own */
	struct cache_facts fresh = {0};

	arena = arena_new();
	if (f)
		copy(arena, f, &fresh);
	state = fresh;
	arena_free(old);
}

int cache_read(struct arena *a, struct cache_facts *ret, struct err *e)
{
	copy(a, &state, ret);
	return 0;
}

int cache_fetch(const char *id, const struct image_request *q, struct err *e)
{
	struct image_request mine = *q;
	struct image_result result;
	struct cache_file *f;
	int r;

	if (fake_fails(__func__))
		return err_set(e, -EIO, "create %s/%s.part: Input/output error", cache_dir, id);
	if (map_get(&state.files, id))
		return 0;
	mine.ready = NULL;
	mine.max_size = q->max_size ? MIN_OF(q->max_size, CACHE_MAX_FILE) : CACHE_MAX_FILE;
	r = image_write(&mine, &result, e);
	if (r < 0)
		return r;
	if (!arena)
		arena = arena_new();
	f = arena_alloc(arena, sizeof(*f));
	f->size = result.size;
	f->unpacked = strstr(q->url, "vmlinuz") != NULL;
	map_add(arena, &state.files, arena_strdup(arena, id), f);
	return 0;
}

int cache_fetch_image(const char *id, const struct image_request *q, struct err *e)
{
	struct image_request mine = *q;
	struct image_result result;
	struct cache_image *i;
	int r;

	if (fake_fails(__func__))
		return err_set(e, -EIO, "create %s/%s.img.part: Input/output error", cache_dir, id);
	if (map_get(&state.images, id))
		return 0;
	mine.ready = NULL;
	r = image_write(&mine, &result, e);
	if (r < 0)
		return r;
	if (!arena)
		arena = arena_new();
	i = arena_alloc(arena, sizeof(*i));
	i->size = result.size;
	i->held = result.written;
	map_add(arena, &state.images, arena_strdup(arena, id), i);
	return 0;
}

const char *cache_image_path(struct arena *a, const char *id)
{
	return arena_printf(a, "%s/%s.img", cache_dir, id);
}

int cache_remove_image(const char *id, struct err *e)
{
	size_t n = 0;

	FAKE_FAIL(e);
	for (size_t i = 0; i < state.images.n; i++)
		if (!streq(state.images.entries[i].name, id))
			state.images.entries[n++] = state.images.entries[i];
	state.images.n = n;
	return 0;
}

int cache_check(const char *id, enum hash_type type, const char *digest, struct err *e)
{
	if (fake_fails(id))
		return err_set(e, -EBADMSG, "its sha256 is another");
	return 0;
}

int cache_remove(const char *id, struct err *e)
{
	size_t n = 0;

	FAKE_FAIL(e);
	for (size_t i = 0; i < state.files.n; i++)
		if (!streq(state.files.entries[i].name, id))
			state.files.entries[n++] = state.files.entries[i];
	state.files.n = n;
	return 0;
}

int cache_kernel(struct arena *a, const char *path, const char **ret, struct err *e)
{
	size_t n = strlen(cache_dir);
	const struct cache_file *f;

	*ret = arena_strdup(a, path);
	if (strncmp(path, cache_dir, n) != 0 || path[n] != '/')
		return 0;
	f = map_get(&state.files, path + n + 1);
	if (!f)
		return err_errno(e, -ENOENT, "open %s", path);
	if (f->unpacked)
		*ret = arena_printf(a, "%s.vmlinux", path);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Images without a network: what a url holds is said by the test.
 */
#include "host/image.h"

#include <errno.h>

#include "base/record.h"
#include "fake.h"

#define SIZE (UINT64_C(16) << 20)

struct held {
	const char *sha256;
	uint64_t size;
};

static struct arena *arena;
static struct map urls; /* url → struct held */

void fake_image_clear(void)
{
	arena_free(arena);
	arena = NULL;
	urls = (struct map){0};
}

void fake_image_add(const char *url, const char *sha256, uint64_t size)
{
	struct held *h;

	if (!arena)
		arena = arena_new();
	h = arena_alloc(arena, sizeof(*h));
	h->sha256 = arena_strdup(arena, sha256);
	h->size = size;
	map_add(arena, &urls, arena_strdup(arena, url), h);
}

/* Each of a chain of requests gets its target made before any is filled. */
int image_write(const struct image_request *q, struct image_result *ret, struct err *e)
{
	const struct held *h = map_get(&urls, q->url);
	const char *digest = q->sha512 ? q->sha512 : q->sha256;
	uint64_t size = h ? h->size : SIZE;
	size_t n = 0;

	if (fake_fails(__func__))
		return err_set(e, -EIO, "fetch %s: connection refused", q->url);
	if (size == 0)
		return err_set(e, -ENOENT, "fetch %s: not found (status 404)", q->url);
	for (const struct image_request *m = q; m; m = m->also) {
		int r = m->ready ? m->ready(m->data, m->max_size ? m->max_size : IMAGE_MAX, e) : 0;

		if (r < 0)
			return r;
		if (m->max_size && size > m->max_size)
			return err_set(e, -EFBIG, "the image is larger than it may be");
		if (m->room && size > m->room)
			return err_set(e, -ENOSPC,
				       "the image has more data than there is room for");
	}
	if (q->progress)
		q->progress(q->data, size / 2, size);
	if (fake_fails(__func__)) /* again, now that there is a target */
		return err_set(e, -EIO, "fetch %s: broken off after %llu of %llu bytes", q->url,
			       (unsigned long long)size / 2, (unsigned long long)size);
	if (h && !streq(h->sha256, digest))
		return err_set(e, -EBADMSG, "%s is not the file asked for: its sha256 is %s",
			       q->url, h->sha256);
	for (const struct image_request *m = q; m; m = m->also)
		ret[n++] = (struct image_result){.downloaded = size, .size = size, .written = size};
	return 0;
}

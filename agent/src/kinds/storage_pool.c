/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * How large a pool is to be, and how much may be promised out of it.
 */
#include "kinds/storage_pool.h"

#include <errno.h>
#include <stdio.h>

#include "base/num.h"

#define SIZE_DEFAULT "90%VG"
#define METADATA_MIN (8u << 20)
#define METADATA_MAX (UINT64_C(15) << 30)
#define DATA_MIN     (UINT64_C(64) << 20)

uint64_t round_extents(uint64_t bytes)
{
	return (bytes + EXTENT - 1) / EXTENT * EXTENT;
}

static uint64_t round_down(uint64_t bytes)
{
	return bytes / EXTENT * EXTENT;
}

/* 1..100, or 0 when it is no share. */
static unsigned share_of(const char *text)
{
	unsigned share = 0;
	char end[4] = "";

	if (sscanf(text, "%3u%%%3s", &share, end) != 2 || !streq(end, "VG") || share < 1 ||
	    share > 100)
		return 0;
	return share;
}

int parse_pool_size(struct decode *c, const struct field *f, const char *text, const char **ret,
		    struct err *e)
{
	char buf[NUM_TEXT];
	uint64_t bytes;
	int r;

	if (share_of(text)) {
		*ret = arena_printf(c->arena, "%u%%VG", share_of(text));
		return 0;
	}
	r = num_parse_size(text, &bytes);
	if (r == -ENODATA)
		return err_set(e, -ENODATA, "a size: it lacks a unit, such as 20GiB or 90%%VG");
	if (r < 0) {
		size_t digits = strspn(text, "0123456789");

		r = err_set(e, -EINVAL, "a size such as 200GiB, or a share such as 90%%VG");
		if (num_guess_size(buf, text))
			err_help(e, "write %s", buf);
		else if (digits > 0 && text[digits] == '%')
			err_help(e, "a share of the volume group is 1%%VG to 100%%VG");
		return r;
	}
	if (bytes < DATA_MIN || bytes > UINT64_C(16) << 50)
		return err_set(e, -EINVAL, "a pool's size: 64MiB to 16PiB");
	*ret = arena_strdup(c->arena, num_size_exact(buf, bytes));
	return 0;
}

int parse_pool_metadata(struct decode *c, const struct field *f, const char *text, const char **ret,
			struct err *e)
{
	char buf[NUM_TEXT];
	uint64_t bytes;
	int r;

	if (streq(text, "auto")) {
		*ret = "auto";
		return 0;
	}
	r = num_parse_size(text, &bytes);
	if (r == -ENODATA)
		return err_set(e, r, "a size: it lacks a unit, such as 256MiB");
	if (r < 0) {
		err_set(e, r, "'auto' or a size such as 256MiB");
		if (num_guess_size(buf, text))
			err_help(e, "write %s", buf);
		return r;
	}
	if (bytes < METADATA_MIN || bytes > METADATA_MAX)
		return err_set(e, -EINVAL, "a size for a pool's metadata: 8MiB to 15GiB");
	*ret = arena_strdup(c->arena, num_size_exact(buf, bytes));
	return 0;
}

/* In thousandths; 0: not a ratio. */
static uint64_t ratio_of(const char *text)
{
	uint64_t whole = 0, part = 0, scale = 1000;
	const char *s = text;

	for (; *s >= '0' && *s <= '9' && whole < 10000; s++)
		whole = whole * 10 + (uint64_t)(*s - '0');
	if (s == text)
		return 0;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9' && scale > 1; s++) {
			scale /= 10;
			part += (uint64_t)(*s - '0') * scale;
		}
	if (*s || whole > 1000)
		return 0;
	return whole * 1000 + part;
}

int parse_overcommit(struct decode *c, const struct field *f, const char *text, const char **ret,
		     struct err *e)
{
	if (!streq(text, "true") && !streq(text, "false") && ratio_of(text) == 0)
		return err_set(e, -EINVAL, "true, false or a ratio such as 1.5");
	*ret = arena_strdup(c->arena, text);
	return 0;
}

uint64_t pool_bytes(const struct storage_pool *p)
{
	uint64_t bytes;

	if (!p->size || num_parse_size(p->size, &bytes) < 0)
		return 0;
	return round_extents(bytes);
}

static uint64_t wanted(const struct storage_pool *p, uint64_t vg_size)
{
	uint64_t bytes = pool_bytes(p);
	unsigned share;

	if (bytes)
		return bytes;
	share = share_of(p->size ? p->size : SIZE_DEFAULT);
	/* Divided first: a group may be larger than 2^64 / 100. */
	return round_down(vg_size / 100 * share + vg_size % 100 * share / 100);
}

static uint64_t metadata_for(const struct storage_pool *p, uint64_t data)
{
	uint64_t bytes;

	if (!p->metadata || num_parse_size(p->metadata, &bytes) < 0)
		bytes = MIN_OF(MAX_OF(data / 256, METADATA_MIN), METADATA_MAX);
	return round_extents(bytes);
}

int pool_target(const struct storage_pool *p, uint64_t vg_size, uint64_t vg_free,
		const struct pool_sizes *have, struct pool_sizes *ret, uint64_t *ret_needed)
{
	uint64_t all = vg_free + have->data + 2 * have->metadata; /* the spare counts */
	uint64_t data = wanted(p, vg_size);
	uint64_t metadata = MAX_OF(metadata_for(p, data), have->metadata);

	if (data + 2 * metadata > all) {
		uint64_t room = all > 2 * metadata ? round_down(all - 2 * metadata) : 0;

		if (pool_bytes(p) || MAX_OF(room, have->data) < DATA_MIN) {
			*ret_needed = data + 2 * metadata - all;
			return -ENOSPC;
		}
		data = room;
	}
	if (data <= have->data) {
		/* What is there stays: metadata grows with the data, or where it is asked for. */
		data = have->data;
		if (!p->metadata || streq(p->metadata, "auto"))
			metadata = have->metadata ? have->metadata : metadata;
	}
	*ret = (struct pool_sizes){data, metadata};
	return 0;
}

bool pool_shrinks(const struct storage_pool *p, uint64_t vg_size, const struct pool_sizes *have)
{
	return wanted(p, vg_size) + EXTENT < have->data;
}

uint64_t pool_promise(const struct storage_pool *p, uint64_t pool)
{
	uint64_t ratio;

	if (!p->overcommit || streq(p->overcommit, "true"))
		return UINT64_MAX;
	ratio = streq(p->overcommit, "false") ? 1000 : ratio_of(p->overcommit);
	return pool / 1000 * ratio + pool % 1000 * ratio / 1000;
}

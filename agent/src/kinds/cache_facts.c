/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reading "cache": which boot files are there, complete.
 */
#include "host/cache.h"
#include "kinds/kinds.h"
#include "kinds/mark.h"

TABLE(cache_file_table, cache_file, "boot file", "A file in the cache.",
      {.name = "size", .type = FIELD_SIZE, .offset = FIELD_AT(cache_file, size),
       .doc = "bytes"},
      {.name = "unpacked", .type = FIELD_BOOL, .offset = FIELD_AT(cache_file, unpacked),
       .doc = "whether the unpacked kernel lies beside it"});

TABLE(cache_table, cache_facts, "cache", "The cache of boot files.",
      {.name = "files", .type = FIELD_MAP, .offset = FIELD_AT(cache_facts, files),
       .sub = &cache_file_table, .doc = "complete files, by their sha256"});

static int read_cache(struct arena *a, void *ret_record, struct err *e)
{
	int r = cache_read(a, ret_record, e);

	if (r == 0)
		mark_filled(&cache_table, ret_record);
	return r;
}

const struct reader reader_cache = {
	.name = "cache",
	.doc = "the boot files in the cache",
	.table = &cache_table,
	.deadline_ms = 30000,
	.read = read_cache,
};

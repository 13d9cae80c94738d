/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reading "cache": which boot files and disk images are there, complete.
 */
#include "host/cache.h"
#include "kinds/kinds.h"
#include "kinds/reading.h"

TABLE(cache_file_table, cache_file, "boot file", "A file in the cache.",
      {.name = "size", .type = FIELD_SIZE, .offset = FIELD_AT(cache_file, size),
       .doc = "bytes"},
      {.name = "unpacked", .type = FIELD_BOOL, .offset = FIELD_AT(cache_file, unpacked),
       .doc = "whether the unpacked kernel lies beside it"});

TABLE(cache_image_table, cache_image, "image", "A disk image in the cache.",
      {.name = "size", .type = FIELD_SIZE, .offset = FIELD_AT(cache_image, size),
       .doc = "of the disk"},
      {.name = "held", .type = FIELD_SIZE, .offset = FIELD_AT(cache_image, held),
       .doc = "what it occupies"});

TABLE(cache_table, cache_facts, "cache", "The cache of boot files and disk images.",
      {.name = "files", .type = FIELD_MAP, .offset = FIELD_AT(cache_facts, files),
       .sub = &cache_file_table, .doc = "complete boot files, by their sha256"},
      {.name = "images", .type = FIELD_MAP, .offset = FIELD_AT(cache_facts, images),
       .sub = &cache_image_table, .doc = "complete disk images, by theirs"});

READER(cache, cache_read, cache_table, 30000, "the boot files in the cache");

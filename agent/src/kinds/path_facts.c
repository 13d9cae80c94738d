/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reading "paths".
 */
#include "kinds/path_facts.h"

#include "kinds/kinds.h"
#include "kinds/reading.h"

TABLE(path_state_table, path_state, "path", "What stands at a path.",
      ROW(path_state, path, FIELD_STRING, .doc = "the path"),
      ROW(path_state, type, FIELD_ENUM, .words = path_type_words, .doc = "what is there"),
      ROW(path_state, size, FIELD_SIZE, .doc = "size"),
      ROW(path_state, held, FIELD_SIZE, .doc = "what a file occupies"),
      ROW(path_state, id, FIELD_STRING, .doc = "the thing itself, whatever it is called"),
      ROW(path_state, base, FIELD_STRING, .doc = "digest of the golden file that it came from"),
      ROW(path_state, kernel, FIELD_STRING, .doc = "digest of the kernel that came with it"),
      ROW(path_state, initrd, FIELD_STRING, .doc = "digest of the initrd that came with it"),
      ROW(path_state, format, FIELD_STRING, .doc = "what a file is that is no raw image: qcow2, vmdk, vhd, vhdx"),
      ROW(path_state, folder, FIELD_BOOL, .doc = "whether its folder is there"),
      ROW(path_state, read_only, FIELD_BOOL, .doc = "whether it can't be written there"),
      ROW(path_state, free, FIELD_SIZE, .doc = "what its file system has left"),
      ROW(path_state, why, FIELD_STRING, .doc = "why it couldn't be looked at"));

TABLE(paths_table, path_facts, "paths", "Paths that the manifest names.",
      {.name = "paths", .type = FIELD_LIST, .offset = FIELD_AT(path_facts, paths),
       .sub = &path_state_table, .doc = "each, as it is"});

static int read_paths(struct arena *a, const struct list *paths, void *ret_record, struct err *e)
{
	int r = paths_read(a, paths, ret_record, e);

	if (r >= 0)
		mark_filled(&paths_table, ret_record);
	return r;
}

const struct reader reader_paths = {
	.name = "paths",
	.doc = "Files and devices that the manifest names by their paths.",
	.table = &paths_table,
	.deadline_ms = 30000,
	.read_paths = read_paths,
};

const struct path_state *path_facts(const struct facts *f, const char *path)
{
	const struct path_facts *all = facts_get(f, "paths");

	for (size_t i = 0; all && path && i < all->paths.n; i++) {
		const struct path_state *s = all->paths.items[i];

		if (streq(s->path, path))
			return s;
	}
	return NULL;
}

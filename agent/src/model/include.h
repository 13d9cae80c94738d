/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A manifest made of several files: those that it includes, and those that they include.
 */
#pragma once

#include "model/manifest.h"

/* The field "include" of a file's top level, whose record is a struct `of`. */
#define INCLUDE_FIELD(of)                                                                          \
	{.name = "include", .type = FIELD_LIST, .offset = FIELD_AT(of, include),                    \
	 .parse = parse_path, .flags = FIELD_UNORDERED | FIELD_ALONE | FIELD_CONFIG,                \
	 .doc = "files of more sections, a list or one alone: what stands in them is read as if it "  \
		"stood here"}

/* Reads what `include` names (as decoded: absolute paths), and what that names, each file once. Their
 * trees are added to m->roots, their texts to m->files. Everything wrong is in c->diags; what of it leaves
 * some of the manifest unread sets m->partly. `complete`: the field itself was right. */
void include_read(struct manifest *m, struct decode *c, const struct list *include, bool complete);

/* Whether a manifest of that folder may include that file; both absolute, links resolved. */
bool include_allowed(const char *dir, const char *path);

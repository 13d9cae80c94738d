/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * YAML as a person would write it, with comments beside what they are about: the way back from conf/node.h.
 * libyaml's emitter knows no comments. All memory is the arena's.
 */
#pragma once

#include "base/str.h"
#include "conf/field.h"

struct emit; /* a mapping; keys come in the order in which they were first named */

struct emit *emit_new(struct arena *a);
/* The mapping under `key`, made at first use; nothing is printed of it while it is empty. A mapping without
 * comments that fits stands on one line, but for those that were made `emit_tall`. */
struct emit *emit_map(struct emit *m, const char *key);
struct emit *emit_tall(struct emit *m, const char *key);
/* One that was made by itself, and may be empty. */
void emit_put(struct emit *m, const char *key, struct emit *map, bool tall);
/* A text, in quotes where YAML, or a reader, could take it for something else. */
void emit_text(struct emit *m, const char *key, const char *text);
/* As it is: numbers, sizes, words of a table. */
void emit_word(struct emit *m, const char *key, const char *word);
/* One text more in the list under `key`. */
void emit_item(struct emit *m, const char *key, const char *text);
/* One mapping more in that list, on one line: it has no comments. */
void emit_item_map(struct emit *m, const char *key, const struct emit *map);
bool emit_has(const struct emit *m, const char *key); /* has a value */
/* A comment beside `key`, whose value may come later or never; NULL: where the mapping ends. */
void emit_note(struct emit *m, const char *key, const char *fmt, ...) _printf_(3, 4);
/* Keys in the table's order, what is no field of it last. */
void emit_order(struct emit *m, const struct table *t);
void emit_print(const struct emit *m, struct str *out);

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor schema: the manifest's JSON Schema (draft 2020-12), made from the tables that read it; and the
 * same tables as the manual's reference.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "base/num.h"
#include "cli/cli.h"
#include "cli/page.h"
#include "kinds/kinds.h"

#define NAME_PATTERN "^[a-z0-9][a-z0-9-]{0,62}$"
#define TABLES_MAX   64

/* A table that is described once under $defs; a part of one (nothing required) is another. */
struct definition {
	const struct table *table;
	bool partial;
	const char *name;
};

struct schema {
	struct arena *arena;
	struct definition defs[TABLES_MAX];
	size_t n, done;
};

static void put(json_object *o, const char *key, json_object *value)
{
	json_object_object_add(o, key, value);
}

static json_object *text(const char *s)
{
	return json_object_new_string(s);
}

static bool shown(const struct field *f)
{
	return !(f->flags & (FIELD_DERIVED | FIELD_STATUS | FIELD_LATER));
}

static json_object *of_type(const char *type)
{
	json_object *o = json_object_new_object();

	put(o, "type", text(type));
	return o;
}

static json_object *with_pattern(const char *pattern)
{
	json_object *o = of_type("string");

	put(o, "pattern", text(pattern));
	return o;
}

static json_object *any_of(json_object *a, json_object *b)
{
	json_object *o = json_object_new_object(), *list = json_object_new_array();

	json_object_array_add(list, a);
	json_object_array_add(list, b);
	put(o, "anyOf", list);
	return o;
}

/* {"$ref": "#/$defs/disk"}, remembering that it has to be described. */
static json_object *reference(struct schema *s, const struct table *t, bool partial)
{
	json_object *o = json_object_new_object();
	size_t i, same = 0;

	for (i = 0; i < s->n; i++) {
		if (s->defs[i].table == t && s->defs[i].partial == partial)
			break;
		same += streq(s->defs[i].table->name, t->name) && s->defs[i].partial == partial;
	}
	if (i == s->n && s->n < TABLES_MAX) {
		const char *name = arena_printf(s->arena, "%s%s", t->name, partial ? "-part" : "");

		if (same)
			name = arena_printf(s->arena, "%s-%zu", name, same + 1);
		s->defs[s->n++] = (struct definition){t, partial, name};
	}
	put(o, "$ref", text(arena_printf(s->arena, "#/$defs/%s", s->defs[i].name)));
	return o;
}

static json_object *string_schema(const struct field *f)
{
	static const struct {
		field_parse_fn *parse;
		const char *pattern;
	} patterns[] = {
		{parse_name, NAME_PATTERN},
		{parse_mac, "^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$"},
		{parse_cidr, "^[0-9A-Fa-f.:]+/[0-9]{1,3}$"},
		{parse_sha256, "^[0-9A-Fa-f]{64}$"},
		{parse_vdev, "^(xvd[a-p]|hd[a-d]|sd[a-p])([1-9][0-9]?)?$"},
		{parse_ifname, "^[^/:%\\s]{1,15}$"},
	};
	static const char *const types[] = {"string", "number", "boolean"};
	json_object *o, *list;
	size_t i;

	for (i = 0; f->parse && i < ARRAY_SIZE(patterns); i++)
		if (f->parse == patterns[i].parse)
			return with_pattern(patterns[i].pattern);
	/* A plain number is a text as well: what is written is what is meant. */
	o = json_object_new_object();
	list = json_object_new_array();
	for (i = 0; i < ARRAY_SIZE(types); i++)
		json_object_array_add(list, text(types[i]));
	put(o, "type", list);
	return o;
}

static json_object *value_schema(struct schema *s, const struct field *f, bool partial);

/* What merges with something else before it is read (a domain with its template) needn't be whole. */
static bool merges(const struct field *f)
{
	size_t i;

	for (i = 0; all_kinds[i]; i++)
		if (f->sub == all_kinds[i]->table && all_kinds[i]->before)
			return true;
	return false;
}

/* A record, or the scalar that may stand for it. */
static json_object *record_schema(struct schema *s, const struct table *t, bool partial)
{
	const struct field *f = field_short(t);
	json_object *o = reference(s, t, partial);

	return f ? any_of(value_schema(s, f, partial), o) : o;
}

static json_object *value_schema(struct schema *s, const struct field *f, bool partial)
{
	json_object *o = NULL, *words, *file;
	size_t i;

	switch (f->type) {
	case FIELD_BOOL:
		o = of_type("boolean");
		break;
	case FIELD_INT:
		o = of_type("integer");
		if (f->min || f->max) {
			put(o, "minimum", json_object_new_int64(f->min));
			put(o, "maximum", json_object_new_int64(f->max));
		}
		break;
	case FIELD_SIZE:
		o = with_pattern(
			"^[0-9]+(\\.[0-9]{1,3})? ?(B|KiB|MiB|GiB|TiB|PiB|kB|KB|MB|GB|TB)$");
		break;
	case FIELD_DURATION:
		o = with_pattern("^[0-9]+(\\.[0-9]{1,3})? ?[smhd]$");
		break;
	case FIELD_STRING:
		o = string_schema(f);
		break;
	case FIELD_ENUM:
		o = json_object_new_object();
		words = json_object_new_array();
		for (i = 0; f->words[i]; i++)
			json_object_array_add(words, text(f->words[i]));
		put(o, "enum", words);
		break;
	case FIELD_LIST:
		o = of_type("array");
		put(o, "items", f->sub ? record_schema(s, f->sub, partial) : string_schema(f));
		if (f->flags & FIELD_UNORDERED)
			put(o, "uniqueItems", json_object_new_boolean(true));
		if (f->flags & FIELD_ALONE)
			o = any_of(string_schema(f), o);
		break;
	case FIELD_SUB:
		o = record_schema(s, f->sub, partial || (f->flags & FIELD_PARTIAL));
		break;
	case FIELD_MAP:
		o = of_type("object");
		put(o, "propertyNames", with_pattern(NAME_PATTERN));
		put(o, "additionalProperties",
		    any_of(record_schema(s, f->sub,
					 partial || merges(f) || (f->flags & FIELD_PARTIAL)),
			   of_type("null")));
		break;
	}
	if (f->flags & FIELD_FROM_FILE) {
		json_object *required = json_object_new_array();
		json_object *properties = json_object_new_object();

		file = of_type("object");
		put(properties, "file", of_type("string"));
		put(file, "properties", properties);
		json_object_array_add(required, text("file"));
		put(file, "required", required);
		put(file, "additionalProperties", json_object_new_boolean(false));
		o = any_of(o, file);
	}
	return o;
}

static json_object *default_value(const struct field *f)
{
	int64_t n;

	if (f->type == FIELD_BOOL)
		return json_object_new_boolean(streq(f->def, "true"));
	if (f->type == FIELD_INT && num_parse_int(f->def, INT64_MIN, INT64_MAX, &n) == 0)
		return json_object_new_int64(n);
	if (*f->def == '[')
		return json_tokener_parse(f->def);
	if (*f->def == '{')
		return json_object_new_object();
	return text(f->def);
}

static json_object *table_schema(struct schema *s, const struct table *t, bool partial)
{
	json_object *o = of_type("object"), *properties = json_object_new_object();
	json_object *required = json_object_new_array(), *value, *def;
	size_t i;

	if (t->doc)
		put(o, "description", text(t->doc));
	for (i = 0; i < t->n; i++) {
		const struct field *f = &t->fields[i];

		if (!shown(f))
			continue;
		value = value_schema(s, f, partial);
		if (!partial && (f->flags & FIELD_REQUIRED))
			json_object_array_add(required, text(f->name));
		else
			value = any_of(value, of_type("null"));
		if (f->doc)
			put(value, "description", text(f->doc));
		def = f->def && !partial ? default_value(f) : NULL;
		if (def)
			put(value, "default", def);
		put(properties, f->name, value);
	}
	put(o, "properties", properties);
	if (json_object_array_length(required))
		put(o, "required", required);
	else
		json_object_put(required);
	put(o, "additionalProperties", json_object_new_boolean(false));
	return o;
}

static json_object *manifest_schema(struct arena *a)
{
	struct schema s = {.arena = a};
	json_object *o = json_object_new_object(), *defs = json_object_new_object(), *top;

	put(o, "$schema", text("https://json-schema.org/draft/2020-12/schema"));
	put(o, "title", text("Manor's manifest, appliance.yaml"));
	top = table_schema(&s, manifest_table(a, all_kinds), false);
	json_object_object_foreach(top, key, value) put(o, key, json_object_get(value));
	json_object_put(top);
	/* Describing one may bring up others. */
	for (; s.done < s.n; s.done++)
		put(defs, s.defs[s.done].name,
		    table_schema(&s, s.defs[s.done].table, s.defs[s.done].partial));
	put(o, "$defs", defs);
	return o;
}

/* The word for what a field takes. */
static const char *type_text(struct arena *a, const struct field *f)
{
	const char *words = "";
	char least[NUM_TEXT], most[NUM_TEXT];
	size_t i;

	switch (f->type) {
	case FIELD_BOOL:
		return "true or false";
	case FIELD_INT:
		if (f->min == f->max && f->max)
			return arena_printf(a, "%lld", (long long)f->max);
		return f->min || f->max ? arena_printf(a, "%lld to %lld", (long long)f->min,
						       (long long)f->max)
					: "a whole number";
	case FIELD_SIZE:
		return f->max ? arena_printf(a, "a size, %s to %s",
					     num_size(least, (uint64_t)f->min),
					     num_size(most, (uint64_t)f->max))
			      : "a size";
	case FIELD_DURATION:
		return "a time";
	case FIELD_ENUM:
		for (i = 0; f->words[i]; i++)
			words = arena_printf(a, "%s%s%s", words, i ? ", " : "", f->words[i]);
		return words;
	case FIELD_LIST:
		return f->sub                   ? arena_printf(a, "a list of %ss", f->sub->name)
		       : f->ref                 ? arena_printf(a, "a list of %ss", f->ref)
		       : f->flags & FIELD_ALONE ? "a text, or a list"
						: "a list";
	case FIELD_SUB:
		return "a mapping";
	case FIELD_MAP:
		return arena_printf(a, "a mapping of %ss by name", f->sub->name);
	case FIELD_STRING:
		break;
	}
	if (f->ref)
		return arena_printf(a, "the name of a %s", f->ref);
	return f->flags & FIELD_FROM_FILE ? "a text, or {file: PATH}" : "a text";
}

/* scdoc takes these for markup. */
static void put_text(FILE *f, const char *s, bool markup)
{
	for (; *s; s++) {
		if (markup && strchr("\\*_`#[]|<>~@", *s))
			fputc('\\', f);
		fputc(*s, f);
	}
}

static void print_field(FILE *out, struct arena *a, const struct field *f, bool partial,
			bool markup)
{
	fputs(markup ? "*" : "    ", out);
	put_text(out, f->name, markup);
	fprintf(out, "%s (", markup ? "*" : "");
	put_text(out, type_text(a, f), markup);
	if (!partial && (f->flags & FIELD_REQUIRED))
		fputs("; required", out);
	if (f->def && !partial) {
		fputs("; default ", out);
		put_text(out, f->def, markup);
	}
	if (f->impact > IMPACT_NONE)
		fprintf(out, "; a change is %s%s", f->impact_of ? "at worst " : "",
			impact_words[f->impact]);
	fputs(")\n", out);
	if (f->doc) {
		fputs(markup ? "\t" : "        ", out);
		put_text(out, f->doc, markup);
		fputs("\n", out);
	}
	fputs("\n", out);
}

static void print_table(FILE *out, struct arena *a, const struct table *t, const char *path,
			bool partial, bool markup)
{
	size_t i;

	fprintf(out, markup ? "## %s\n\n" : "  %s\n", *path ? path : "Top level");
	if (t->doc)
		fprintf(out, markup ? "%s\n\n" : "    %s\n\n", t->doc);
	for (i = 0; i < t->n; i++)
		if (shown(&t->fields[i]))
			print_field(out, a, &t->fields[i], partial, markup);
	for (i = 0; i < t->n; i++) {
		const struct field *f = &t->fields[i];

		/* A part of another table says nothing new. */
		if (!shown(f) || !f->sub || (f->flags & FIELD_PARTIAL))
			continue;
		print_table(out, a, f->sub,
			    arena_printf(a, "%s%s%s%s", path, *path ? "." : "", f->name,
					 f->type == FIELD_MAP    ? ".NAME"
					 : f->type == FIELD_LIST ? "[]"
								 : ""),
			    partial, markup);
	}
}

void reference_print(FILE *f, bool markup)
{
	_cleanup_arena_ struct arena *a = arena_new();

	print_table(f, a, manifest_table(a, all_kinds), "", false, markup);
}

int verb_schema(int argc, char **argv)
{
	_cleanup_arena_ struct arena *a = NULL;
	json_object *schema;

	if (argc == 2 && (streq(argv[1], "--help") || streq(argv[1], "-h"))) {
		page_print(page_find("schema"), stdout);
		return EXIT_FINE;
	}
	if (argc == 2 && streq(argv[1], "--reference")) {
		reference_print(stdout, true);
		return EXIT_FINE;
	}
	if (argc != 1) {
		fprintf(stderr, "manor schema: '%.80s' is not known; see `manor help schema`\n",
			argv[1]);
		return EXIT_BAD;
	}
	a = arena_new();
	schema = manifest_schema(a);
	puts(json_object_to_json_string_ext(schema, JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(schema);
	return EXIT_FINE;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Diagnostics: the caret stands right, the order is the file's, nothing in a text can harm a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/json.h"
#include "diag/diag.h"
#include "diag/text.h"

static struct source text(const char *s)
{
	return (struct source){.name = "a.yaml", .text = s, .size = strlen(s)};
}

static struct span at(const struct source *s, unsigned line, unsigned from, unsigned to)
{
	return (struct span){s, line, from, line, to};
}

/* Not inlined: gcc takes what open_memstream() fills for a pointer into this frame. */
static __attribute__((noinline)) char *printed(struct diags *d, bool colour)
{
	char *out = NULL;
	size_t n;
	FILE *f = open_memstream(&out, &n);

	diags_print(d, f, colour);
	fclose(f);
	return out;
}

static void expect(struct diags *d, const char *want)
{
	_cleanup_(freep) char *out = printed(d, false);

	assert_string_equal(out, want);
}

static void a_line_with_its_caret(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct source s = text("links:\n  up: {mac: x}\n");
	struct diag *g = diag_error(d, "bad-value", at(&s, 2, 13, 14), "'%s' is no MAC", "x");

	diag_label(d, g, "here");
	diag_help(d, g, "look on the card");
	expect(d, "a.yaml:2:13: error: 'x' is no MAC\n"
		  "    2 |   up: {mac: x}\n"
		  "      |             ^ here\n"
		  "  help: look on the card\n");
}

static void two_places(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct source s = text("xenbr1: {}\nnics: {lan: {bridge: xenbr7}}\n");
	struct diag *g = diag_error(d, "unknown-reference", at(&s, 2, 22, 28), "unknown bridge");

	diag_suggest(d, g, "xenbr7", (const char *const[]){"eth0", "xenbr1"}, 2);
	diag_also(d, g, at(&s, 1, 1, 7), "declared here");
	expect(d, "a.yaml:2:22: error: unknown bridge\n"
		  "    2 | nics: {lan: {bridge: xenbr7}}\n"
		  "      |                      ^~~~~~ did you mean 'xenbr1'?\n"
		  "    1 | xenbr1: {}\n"
		  "      | ~~~~~~ declared here\n");
}

static void an_included_text_says_who_includes_it(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct source whole = text("include: [b.yaml]\n"), part = text("include: c.yaml\n"),
		      leaf = text("links: {up: 1}\n");
	struct span from_whole = at(&whole, 1, 11, 17), from_part = at(&part, 1, 10, 16);
	_cleanup_json_ json_object *list = NULL;
	json_object *from, *first, *last;
	struct diag *g;

	part.name = "parts/b.yaml";
	part.included = &from_whole;
	part.order = 1;
	leaf.name = "a-leaf.yaml";
	leaf.included = &from_part;
	leaf.order = 2;
	g = diag_error(d, "wrong-type", at(&leaf, 1, 13, 14), "a number");
	diag_also(d, g, at(&part, 1, 1, 8), "said here");
	diag_error(d, "bad-value", from_part, "odd");
	diag_error(d, "bad-value", from_whole, "odd, too");
	/* In the order in which they were read, whatever their names. */
	expect(d, "a.yaml:1:11: error: odd, too\n"
		  "    1 | include: [b.yaml]\n"
		  "      |           ^~~~~~\n"
		  "parts/b.yaml:1:10: error: odd\n"
		  "    1 | include: c.yaml\n"
		  "      |          ^~~~~~\n"
		  "   included from a.yaml:1\n"
		  "a-leaf.yaml:1:13: error: a number\n"
		  "    1 | links: {up: 1}\n"
		  "      |             ^\n"
		  "   included from parts/b.yaml:1, from a.yaml:1\n"
		  "   in parts/b.yaml:\n"
		  "    1 | include: c.yaml\n"
		  "      | ~~~~~~~ said here\n");
	list = diags_json(d);
	assert_false(json_object_object_get_ex(json_object_array_get_idx(list, 0), "included_from",
					       NULL));
	from = json_list(json_object_array_get_idx(list, 2), "included_from");
	assert_int_equal(json_length(from), 2);
	first = json_object_array_get_idx(from, 0);
	last = json_object_array_get_idx(from, 1);
	assert_string_equal(json_text(first, "file"), "parts/b.yaml");
	assert_string_equal(json_text(last, "file"), "a.yaml");
	assert_int_equal(json_int(last, "line"), 1);
	assert_int_equal(json_int(last, "column"), 11);
}

static void tabs_and_wide_characters(void **state)
{
	static const struct {
		const char *line;
		unsigned column;
		const char *want;
	} cases[] = {
		{"\tx", 2, "    1 |         x\n      |         ^\n"},
		{"ab\tx", 4, "    1 | ab      x\n      |         ^\n"},
		{"日本 x", 4, "    1 | 日本 x\n      |      ^\n"},
		{"e\xcc\x81 x", 4,
		 "    1 | e\xcc\x81 x\n      |   ^\n"}, /* e and a combining accent */
		{"ä x", 3, "    1 | ä x\n      |   ^\n"},
		{"\x1b[2J x", 6, "    1 | ?[2J x\n      |      ^\n"},
		{"\xff x", 3, "    1 | ? x\n      |   ^\n"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_diags_ struct diags *d = diags_new();
		_cleanup_(freep) char *out = NULL;
		struct source s = text(cases[i].line);

		diag_error(d, "x", at(&s, 1, cases[i].column, cases[i].column + 1), "m");
		out = printed(d, false);
		assert_string_equal(strchr(out, '\n') + 1, cases[i].want);
	}
}

static void long_lines_are_cut_around_the_caret(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	_cleanup_(freep) char *line = xcalloc(1, 100001), *out = NULL;
	struct source s;
	char *caret, *mark;

	memset(line, 'a', 100000);
	line[50000] = 'X';
	s = text(line);
	diag_error(d, "x", at(&s, 1, 50001, 50002), "m");
	out = printed(d, false);
	assert_true(strlen(out) < 400);
	caret = strchr(out, '^');
	mark = strchr(out, 'X');
	assert_non_null(caret);
	assert_non_null(mark);
	/* One column left of it stands "…", three bytes wide. */
	assert_int_equal(caret - (strrchr(strstr(out, "      |"), '|') + 2),
			 mark - (strchr(out, '|') + 2) - 2);
}

static void places_that_are_not_there(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct source s = text("a\n");

	diag_error(d, "x", ((struct span){}), "no file");
	diag_error(d, "x", at(&s, 7, 3, 4), "past the end");
	diag_error(d, "x", at(&s, 1, 9, 10), "right of the line");
	expect(d, "error: no file\n"
		  "a.yaml:1:9: error: right of the line\n"
		  "    1 | a\n"
		  "      |  ^\n"
		  "a.yaml:7:3: error: past the end\n");
}

static void in_the_order_of_the_file(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct source s = text("");

	diag_error(d, "c", at(&s, 3, 1, 2), "third");
	diag_warn(d, "b", at(&s, 2, 5, 6), "second");
	diag_error(d, "a", at(&s, 2, 1, 2), "first");
	expect(d, "a.yaml:2:1: error: first\na.yaml:2:5: warning: second\n"
		  "a.yaml:3:1: error: third\n");
}

static void twenty_and_how_many_more(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	_cleanup_(freep) char *out = NULL;
	struct source s = text("");
	unsigned i;

	/* From the last line to the first, so that those kept have to be chosen by place. */
	for (i = 50; i > 0; i--)
		diag_error(d, "x", at(&s, i, 1, 2), "line %u", i);
	diag_warn(d, "x", at(&s, 1, 1, 2), "mild");
	out = printed(d, false);
	assert_int_equal(d->n, DIAG_MAX);
	assert_int_equal(d->n_errors, 50);
	assert_int_equal(d->list[0].span.line, 1);
	assert_int_equal(d->list[19].span.line, 20);
	assert_non_null(strstr(out, "and 30 more errors\n"));
}

static void said_twice_is_said_once(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct source s = text("a");

	diag_error(d, "x", at(&s, 1, 1, 2), "same");
	diag_label(d, diag_error(d, "x", at(&s, 1, 1, 2), "same"), "lost");
	diag_error(d, "x", at(&s, 1, 1, 2), "other");
	assert_int_equal(d->n, 2);
	assert_int_equal(d->n_errors, 2);
	assert_true(diags_has(d, "x", at(&s, 1, 1, 2)));
	assert_false(diags_has(d, "y", at(&s, 1, 1, 2)));
}

static void what_others_wrote_is_harmless(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	_cleanup_(freep) char *huge = xcalloc(1, 1 << 20);
	struct source s = text("");

	memset(huge, 'x', (1 << 20) - 1);
	diag_error(d, "x", at(&s, 1, 1, 2), "a\x1b[31m\xff\nb");
	diag_error(d, "x", at(&s, 2, 1, 2), "%s", huge);
	assert_string_equal(d->list[0].message, "a?[31m? b");
	assert_true(strlen(d->list[1].message) < 512);
}

static void did_you_mean(void **state)
{
	static const char *const words[] = {"memory", "maxmem", "vcpus", "cdrom", "on"};
	static const struct {
		const char *word, *want;
	} cases[] = {
		{"memroy", "memory"}, {"Memory", "memory"},  {"mem", "memory"},
		{"vcpu", "vcpus"},    {"vpcus", "vcpus"},    {"x", NULL},
		{"on", NULL},         {"of", NULL},          {"", NULL},
		{"bridge", NULL},     {"max_mem", "maxmem"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_diags_ struct diags *d = diags_new();
		struct diag *g = diag_error(d, "x", ((struct span){}), "m");
		_cleanup_(freep) char *want = NULL;

		diag_suggest(d, g, cases[i].word, words, ARRAY_SIZE(words));
		if (cases[i].want)
			want = xasprintf("did you mean '%s'?", cases[i].want);
		if (!streq(g->label, want))
			print_message("# %s: %s\n", cases[i].word, g->label ? g->label : "-");
		assert_true(streq(g->label, want));
	}
}

static void colours_only_where_asked(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	_cleanup_(freep) char *plain = NULL, *coloured = NULL;
	struct source s = text("a");

	diag_error(d, "x", at(&s, 1, 1, 2), "m");
	plain = printed(d, false);
	coloured = printed(d, true);
	assert_null(strchr(plain, '\033'));
	assert_non_null(strchr(coloured, '\033'));
}

static void as_json(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct source s = text("a: b\n");
	struct diag *g = diag_error(d, "bad-value", at(&s, 1, 4, 5), "wrong");
	json_object *json;

	diag_also(d, g, at(&s, 1, 1, 2), "see");
	json = diags_json(d);
	assert_string_equal(
		json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN),
		"[{\"file\":\"a.yaml\",\"line\":1,\"column\":4,\"end_line\":1,\"end_column\":5,"
		"\"severity\":\"error\",\"code\":\"bad-value\",\"message\":\"wrong\","
		"\"also\":[{\"file\":\"a.yaml\",\"line\":1,\"column\":1,\"end_line\":1,"
		"\"end_column\":2,\"label\":\"see\"}]}]");
	json_object_put(json);
}

static void lines_end_in_three_ways(void **state)
{
	struct source s = text("\xef\xbb\xbf"
			       "a\r\nb\rc\nd");
	static const char *const want[] = {"a", "b", "c", "d"};
	size_t n;
	unsigned i;

	for (i = 0; i < 4; i++) {
		const char *line = source_line(&s, i + 1, &n);

		assert_non_null(line);
		assert_int_equal(n, 1);
		assert_memory_equal(line, want[i], 1);
	}
	assert_null(source_line(&s, 5, &n));
	assert_null(source_line(&s, 0, &n));
}

static void utf8(void **state)
{
	static const struct {
		const char *bytes;
		uint32_t cp;
	} cases[] = {
		{"a", 'a'},
		{"ä", 0xe4},
		{"日", 0x65e5},
		{"\xf0\x9f\x98\x80", 0x1f600},
		{"\xc0\xaf", TEXT_INVALID},         /* overlong */
		{"\xe0\x80\xaf", TEXT_INVALID},     /* overlong */
		{"\xed\xa0\x80", TEXT_INVALID},     /* a surrogate */
		{"\xf4\x90\x80\x80", TEXT_INVALID}, /* past U+10FFFF */
		{"\xe6\x97", TEXT_INVALID},         /* cut */
		{"\x80", TEXT_INVALID},
		{"\xff", TEXT_INVALID},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t cp;
		size_t n = strlen(cases[i].bytes), k = text_decode(cases[i].bytes, n, &cp);

		assert_int_equal(cp, cases[i].cp);
		assert_int_equal(k, cp == TEXT_INVALID ? 1 : n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_with_its_caret),
		cmocka_unit_test(two_places),
		cmocka_unit_test(an_included_text_says_who_includes_it),
		cmocka_unit_test(tabs_and_wide_characters),
		cmocka_unit_test(long_lines_are_cut_around_the_caret),
		cmocka_unit_test(places_that_are_not_there),
		cmocka_unit_test(in_the_order_of_the_file),
		cmocka_unit_test(twenty_and_how_many_more),
		cmocka_unit_test(said_twice_is_said_once),
		cmocka_unit_test(what_others_wrote_is_harmless),
		cmocka_unit_test(did_you_mean),
		cmocka_unit_test(colours_only_where_asked),
		cmocka_unit_test(as_json),
		cmocka_unit_test(lines_end_in_three_ways),
		cmocka_unit_test(utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Manifest text → nodes: what is taken, what is refused and where the finger points.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/str.h"
#include "conf/node.h"

static struct node *load(struct diags *d, const char *text, size_t n)
{
	struct source *s = arena_alloc(d->arena, sizeof(*s));

	*s = (struct source){.name = "a.yaml", .text = arena_strndup(d->arena, text, n), .size = n};
	return node_load(d->arena, s, d);
}

struct refusal {
	const char *text;
	unsigned line, column, end_column;
	const char *code;
	size_t size; /* 0: strlen */
};

static void refused_by_name(void **state)
{
	static const struct refusal cases[] = {
		{"a: &x 1\n", 1, 4, 6, "anchor"},
		{"a: &x {b: 1}\n", 1, 4, 6, "anchor"},
		{"a: [&x 1]\n", 1, 5, 7, "anchor"},
		{"a: *x\n", 1, 4, 6, "alias"},
		{"*x : 1\n", 1, 1, 3, "alias"},
		{"a: !!str 1\n", 1, 4, 9, "tag"},
		{"a: !x {}\n", 1, 4, 6, "tag"},
		{"a: ! b\n", 1, 4, 5, "tag"},
		{"a: !<tag:yaml.org,2002:str> b\n", 1, 4, 18, "tag"},
		{"a: &x !!str 1\n", 1, 7, 12, "tag"},
		{"a: !!str &x 1\n", 1, 10, 12, "anchor"},
		{"!!map {a: 1}\n", 1, 1, 6, "tag"},
		{"<<: {a: 1}\n", 1, 1, 3, "merge-key"},
		{"%TAG ! tag:x,2000:\n---\na: 1\n", 1, 1, 0, "tag"},
		{"%YAML 1.1\n---\na: 1\n", 1, 1, 0, "directive"},
		{"a: 1\n---\nb: 1\n", 2, 1, 4, "second-document"},
		{"a: 1\n...\n---\nb: 1\n", 3, 1, 4, "second-document"},
		{"a: 1\n---\n", 2, 1, 4, "second-document"},
		{"a: 1\nb: 2\na: 3\n", 3, 1, 2, "duplicate-key"},
		{"x: {a: 1, \"a\": 3}\n", 1, 11, 14, "duplicate-key"},
		{"? [a]\n: 1\n", 1, 3, 4, "complex-key"},
		{"{a: 1}: 1\n", 1, 1, 2, "complex-key"},
		{"{? {a: 1} : 2}\n", 1, 4, 5, "complex-key"},
		{"a: 1\n? [b]\n: 2\n", 2, 3, 4, "complex-key"}, /* beside others */
		{"? [b]\n: 2\n? [c]\n: 3\na: 1\na: 2\n", 6, 1, 2, "duplicate-key"},
		{": 1\n", 1, 1, 2, "empty-key"},
		{"a:\n  b: 1\n  : 2\n", 3, 3, 4, "empty-key"},
		{"{: 1}\n", 1, 2, 3, "empty-key"},
		{"\"\": 1\n", 1, 1, 3, "empty-key"},
		{"", 1, 1, 1, "empty-manifest"},
		{"# nothing\n", 1, 1, 1, "empty-manifest"},
		{"---\n", 1, 1, 1, "empty-manifest"},
		{"null\n", 1, 1, 1, "empty-manifest"},
		{"a: \xff\n", 1, 4, 5, "invalid-utf8"},
		{"ä: \xc3\n", 1, 4, 5, "invalid-utf8"},
		{"\xff\xfe" "a\0", 1, 1, 2, "invalid-utf8", 4},
		{"a: b\0c\n", 1, 5, 6, "control-character", 7},
		{"a: \x1b[31m\n", 1, 4, 5, "control-character"},
		{"a: \x7f\n", 1, 4, 5, "control-character"},
		{"a: \xc2\x85 b\n", 1, 4, 5, "control-character"},     /* U+0085 */
		{"a: \xe2\x80\xa8 b\n", 1, 4, 5, "control-character"}, /* U+2028 */
		{"a: b\n\xef\xbb\xbf" "c: d\n", 2, 1, 2, "control-character"}, /* a BOM within */
		{"a: \"b\\0c\"\n", 1, 4, 10, "control-character"},
		{"a: \"b\\e[31m\"\n", 1, 4, 13, "control-character"},
		{"a:\n\tb: 1\n", 2, 1, 2, "syntax"},
		{"a: b: c\n", 1, 5, 6, "syntax"},
		{"a: [1, 2\nb: 1\n", 1, 4, 5, "syntax"},
		{"a: [1, 2\n", 1, 4, 5, "syntax"},
		{"a: \"x\n", 1, 4, 5, "syntax"},
		{"a: 'x\n", 1, 4, 5, "syntax"},
		{"a: @x\n", 1, 4, 5, "syntax"},
		{"a: ]\n", 1, 4, 5, "syntax"},
		{"a: 1\n b: 2\n", 2, 2, 6, "syntax"},
		{"a\nb\n: c\n", 0, 0, 0, "syntax"},
		{"a: \"\\q\"\n", 0, 0, 0, "syntax"},
		{"a: 1\nb\n", 0, 0, 0, "syntax"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct refusal *c = &cases[i];
		_cleanup_diags_ struct diags *d = diags_new();
		const struct span *at;
		size_t k;

		load(d, c->text, c->size ? c->size : strlen(c->text));
		diags_sort(d);
		for (k = 0; k < d->n && !streq(d->list[k].code, c->code); k++)
			;
		if (k == d->n)
			fail_msg("\"%s\": no %s, but %s", c->text, c->code,
				 d->n ? d->list[0].code : "nothing");
		at = &d->list[k].span;
		if ((c->line && (at->line != c->line || at->column != c->column)) ||
		    (c->end_column && at->end_column != c->end_column))
			fail_msg("\"%s\": %s at %u:%u-%u, not %u:%u-%u", c->text, c->code, at->line,
				 at->column, at->end_column, c->line, c->column, c->end_column);
	}
}

static void too_much_of_it(void **state)
{
	static const struct {
		const char *open, *close;
		unsigned times;
		const char *code;
	} cases[] = {
		{"[", "]", NODE_MAX_DEPTH, NULL},
		{"[", "]", NODE_MAX_DEPTH + 1, "too-deep"},
		{"{a: ", "}", NODE_MAX_DEPTH + 1, "too-deep"},
		{"[", "", 100000, "too-deep"},
		{"{", "", 100000, "too-deep"},
		{"- ", "", 100000, "too-deep"},
		{"? ", "", 100000, "too-deep"},
		{"[a,", "", 100000, "too-deep"},
		{"a: ", "", 1, NULL},
		{"- \n", "", NODE_MAX_NODES, "too-many-nodes"},
		{"#", "", NODE_MAX_BYTES + 1, "too-large"},
		{"x", "", NODE_MAX_BYTES, NULL},
		{"!a ", "", 100000, "tag"},
		{"'", "", 100001, "syntax"},
		{"\n", "", NODE_MAX_BYTES, "empty-manifest"},
		{"%", "", 100000, "syntax"},
		{"&a ", "", 100000, "anchor"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_diags_ struct diags *d = diags_new();
		_cleanup_str_ struct str b = {};
		unsigned k;

		for (k = 0; k < cases[i].times; k++)
			str_add(&b, cases[i].open);
		for (k = 0; k < cases[i].times; k++)
			str_add(&b, cases[i].close);
		load(d, str_get(&b), b.n);
		if (!cases[i].code ? d->n != 0 : !d->n || !streq(d->list[0].code, cases[i].code))
			fail_msg("%u times \"%s\": %s", cases[i].times, cases[i].open,
				 d->n ? d->list[0].code : "nothing");
	}
}

static void many_anchors_on_one_line_take_no_age(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	_cleanup_str_ struct str b = {};
	unsigned i;

	str_add(&b, "a: [");
	for (i = 0; i < 150000; i++)
		str_addf(&b, "&a%u x, ", i);
	str_add(&b, "]\n");
	load(d, str_get(&b), b.n);
	assert_int_equal(d->n_errors, 150000);
}

static void many_keys_take_no_age(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	_cleanup_str_ struct str b = {};
	struct node *root;
	unsigned i;

	for (i = 0; i < 90000; i++)
		str_addf(&b, "k%u: 1\n", i);
	root = load(d, str_get(&b), b.n);
	assert_non_null(root);
	assert_int_equal(root->n, 90000);
	assert_int_equal(node_merge(d->arena, root, root)->n, 90000);
}

static void places_count_characters(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	static const char text[] = "\xef\xbb\xbf"
				   "ä: {日本: [x, 'y z']}\r\nb: |\r\n  one\r\n  two\r\n"
				   "c: last\r\n";
	struct node *root = load(d, text, sizeof(text) - 1), *n;

	assert_non_null(root);
	assert_int_equal(d->n, 0);
	n = node_get(root, "ä");
	assert_int_equal(n->span.column, 4);
	assert_int_equal(n->span.end_column, 20);
	n = node_get(n, "日本");
	assert_int_equal(n->key->span.column, 5);
	assert_int_equal(n->span.column, 9);
	assert_int_equal(n->items[1]->span.column, 13);
	assert_int_equal(n->items[1]->span.end_column, 18);
	assert_false(n->items[1]->plain);
	assert_string_equal(node_get(root, "b")->text, "one\ntwo\n");
	n = node_get(root, "c");
	assert_int_equal(n->span.line, 5);
	assert_int_equal(n->span.column, 4);
	assert_int_equal(n->span.end_column, 8);
}

static void finding_the_way(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	static const char text[] =
		"disks: {root: {size: 1GiB}}\ndevices: [{serial: a}, {serial: b}]\n";
	struct node *root = load(d, text, sizeof(text) - 1);
	const struct node *key, *n;

	n = node_at(root, "disks.root.size", &key);
	assert_string_equal(n->text, "1GiB");
	assert_string_equal(key->text, "size");
	n = node_at(root, "disks.root.vdev", &key);
	assert_ptr_equal(n, node_get(node_get(root, "disks"), "root"));
	assert_string_equal(key->text, "root");
	assert_string_equal(node_at(root, "devices.1.serial", NULL)->text, "b");
	assert_int_equal(node_at(root, "devices.2", NULL)->type, NODE_SEQ);
	assert_ptr_equal(node_at(root, "nothing", NULL), root);
	assert_ptr_equal(node_at(root, "", NULL), root);
	assert_ptr_equal(node_at(root, NULL, NULL), root);
	assert_null(node_get(root, "disk"));
}

static void dump(const struct node *n, struct str *b)
{
	size_t i;

	if (n->type == NODE_SCALAR) {
		str_add(b, *n->text ? n->text : "~");
		return;
	}
	str_addc(b, n->type == NODE_MAP ? '{' : '[');
	for (i = 0; i < n->n; i++) {
		if (i)
			str_addc(b, ' ');
		if (n->type == NODE_MAP)
			str_addf(b, "%s:", n->pairs[i].key->text);
		dump(n->type == NODE_MAP ? n->pairs[i].value : n->items[i], b);
	}
	str_addc(b, n->type == NODE_MAP ? '}' : ']');
}

static void merging(void **state)
{
	static const struct {
		const char *under, *over, *want;
	} cases[] = {
		{"{a: 1}", "{b: 2}", "{a:1 b:2}"},
		{"{a: 1, b: 1}", "{b: 2}", "{a:1 b:2}"},
		{"{a: {x: 1, y: 2}}", "{a: {y: 3, z: 4}}", "{a:{x:1 y:3 z:4}}"},
		{"{a: [1, 2]}", "{a: [3]}", "{a:[3]}"},
		{"{a: 1, b: 2}", "{a: null}", "{b:2}"},
		{"{a: {x: 1, y: 2}}", "{a: {x: ~}}", "{a:{y:2}}"},
		{"{a: {x: 1}}", "{a: 5}", "{a:5}"},
		{"{a: 5}", "{a: {x: 1}}", "{a:{x:1}}"},
		{"{}", "{a: {x: null, y: 1}}", "{a:{y:1}}"},
		{"{a: 1}", "{b: 'null'}", "{a:1 b:null}"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_diags_ struct diags *d = diags_new();
		_cleanup_str_ struct str b = {}, before = {}, after = {};
		struct node *under = load(d, cases[i].under, strlen(cases[i].under));
		struct node *over = load(d, cases[i].over, strlen(cases[i].over));

		dump(under, &before);
		dump(node_merge(d->arena, under, over), &b);
		dump(under, &after);
		assert_string_equal(str_get(&b), cases[i].want);
		assert_string_equal(str_get(&before), str_get(&after));
	}
	assert_null(node_merge(NULL, NULL, NULL));
}

static void errors_of_one_run(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	static const char text[] = "a: &x 1\nb: !t 2\nb: 3\nc: *x\n";

	assert_null(load(d, text, sizeof(text) - 1));
	assert_int_equal(d->n_errors, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_by_name),
		cmocka_unit_test(too_much_of_it),
		cmocka_unit_test(many_anchors_on_one_line_take_no_age),
		cmocka_unit_test(many_keys_take_no_age),
		cmocka_unit_test(places_count_characters),
		cmocka_unit_test(finding_the_way),
		cmocka_unit_test(merging),
		cmocka_unit_test(errors_of_one_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

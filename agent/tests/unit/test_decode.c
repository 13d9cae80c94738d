/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Nodes → records by a field table made up for the purpose, with a field of each type.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "conf/field.h"

enum colour { RED, GREEN };
static const char *const colours[] = {"red", "green", NULL};

struct wheel {
	struct record rec;
	const char *brand;
	int64_t size;
};

struct cart {
	struct record rec;
	bool brakes;
	int64_t seats;
	uint64_t load, rest;
	const char *owner, *key;
	int colour;
	struct list stickers, spares, bells;
	struct wheel front;
	struct wheel part;
	struct map wheels;
	int64_t speed;
};

TABLE(wheel_table, wheel, "wheel", "A wheel.",
      {.name = "brand", .type = FIELD_STRING, .offset = FIELD_AT(wheel, brand),
       .flags = FIELD_REQUIRED | FIELD_SHORT, .parse = parse_name},
      {.name = "size", .type = FIELD_INT, .offset = FIELD_AT(wheel, size), .min = 10, .max = 30,
       .def = "26"});

TABLE(cart_table, cart, "cart", "A cart.",
      {.name = "brakes", .type = FIELD_BOOL, .offset = FIELD_AT(cart, brakes), .def = "true"},
      {.name = "seats", .type = FIELD_INT, .offset = FIELD_AT(cart, seats), .min = 1, .max = 4},
      {.name = "load", .type = FIELD_SIZE, .offset = FIELD_AT(cart, load), .min = 1 << 20,
       .max = 1 << 30},
      {.name = "rest", .type = FIELD_DURATION, .offset = FIELD_AT(cart, rest), .def = "5m"},
      {.name = "owner", .type = FIELD_STRING, .offset = FIELD_AT(cart, owner),
       .flags = FIELD_REQUIRED},
      {.name = "key", .type = FIELD_STRING, .offset = FIELD_AT(cart, key), .parse = parse_name,
       .flags = FIELD_FROM_FILE | FIELD_SECRET},
      {.name = "colour", .type = FIELD_ENUM, .offset = FIELD_AT(cart, colour), .words = colours},
      {.name = "stickers", .type = FIELD_LIST, .offset = FIELD_AT(cart, stickers),
       .flags = FIELD_UNORDERED, .def = "[new]"},
      {.name = "spares", .type = FIELD_LIST, .offset = FIELD_AT(cart, spares),
       .sub = &wheel_table},
      {.name = "bells", .type = FIELD_LIST, .offset = FIELD_AT(cart, bells),
       .flags = FIELD_ALONE, .parse = parse_name},
      {.name = "front", .type = FIELD_SUB, .offset = FIELD_AT(cart, front), .sub = &wheel_table},
      {.name = "part", .type = FIELD_SUB, .offset = FIELD_AT(cart, part), .sub = &wheel_table,
       .flags = FIELD_PARTIAL},
      {.name = "wheels", .type = FIELD_MAP, .offset = FIELD_AT(cart, wheels),
       .sub = &wheel_table},
      {.name = "speed", .type = FIELD_INT, .offset = FIELD_AT(cart, speed),
       .flags = FIELD_STATUS},
      {.name = "engine", .type = FIELD_STRING, .flags = FIELD_LATER});

static int read_key(struct decode *c, const char *path, const char **ret, struct err *e)
{
	if (streq(path, "/etc/manor/key"))
		*ret = "secret-key\n";
	else if (streq(path, "/etc/manor/bad"))
		*ret = "Not A Name\n";
	else
		return err_set(e, -ENOENT, "open %s: no such file", path);
	return 0;
}

static int decode(struct diags *d, const char *text, struct cart *ret)
{
	struct decode c = {
		.arena = d->arena, .diags = d, .read = read_key};
	struct source *s = arena_alloc(d->arena, sizeof(*s));
	struct node *root;

	*s = (struct source){
		.name = "cart.yaml", .text = text, .size = strlen(text), .dir = "/etc/manor"};
	memset(ret, 0, sizeof(*ret));
	root = node_load(d->arena, s, d);
	assert_non_null(root);
	return field_decode(&c, &cart_table, root, "the cart", ret);
}

static void a_whole_one(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct cart cart;
	struct wheel *w;

	assert_int_equal(decode(d,
				"brakes: false\nseats: 2\nload: 512MiB\nrest: 90s\nowner: 007\n"
				"key: {file: key}\ncolour: green\nstickers: [a, b]\n"
				"spares: [plain, {brand: x, size: 20}]\nfront: thin\n"
				"part: {size: 12}\nwheels: {left: thick, right: {brand: y}}\n",
				&cart),
			 0);
	assert_int_equal(d->n, 0);
	assert_false(cart.brakes);
	assert_int_equal(cart.seats, 2);
	assert_int_equal(cart.load, 512 << 20);
	assert_int_equal(cart.rest, 90);
	assert_string_equal(cart.owner, "007");
	assert_string_equal(cart.key, "secret-key");
	assert_int_equal(cart.colour, GREEN);
	assert_int_equal(cart.stickers.n, 2);
	assert_string_equal(cart.stickers.items[1], "b");
	assert_int_equal(cart.spares.n, 2);
	w = cart.spares.items[0];
	assert_string_equal(w->brand, "plain");
	assert_int_equal(w->size, 26);
	w = cart.spares.items[1];
	assert_int_equal(w->size, 20);
	assert_string_equal(cart.front.brand, "thin");
	assert_int_equal(cart.part.size, 12);
	assert_false(field_is_set(&wheel_table, &cart.part, "brand"));
	assert_int_equal(cart.wheels.n, 2);
	assert_string_equal(cart.wheels.entries[0].name, "left");
	assert_int_equal(cart.wheels.entries[1].key->span.column, 23);
	assert_string_equal(((struct wheel *)map_get(&cart.wheels, "right"))->brand, "y");
}

static void what_is_left_out(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct cart cart;

	assert_int_equal(decode(d, "owner: me\nseats: null\nload:\npart: {}\n", &cart), 0);
	assert_true(cart.brakes);
	assert_true(field_is_set(&cart_table, &cart, "brakes"));
	assert_int_equal(cart.rest, 300);
	assert_string_equal(cart.stickers.items[0], "new");
	assert_false(field_is_set(&cart_table, &cart, "seats"));
	assert_false(field_is_set(&cart_table, &cart, "load"));
	assert_false(field_is_set(&cart_table, &cart, "front"));
	assert_false(field_is_set(&cart_table, &cart, "wheels"));
	assert_true(field_is_set(&cart_table, &cart, "part"));
	assert_false(field_is_set(&wheel_table, &cart.part, "size"));
	assert_false(field_is_set(&cart_table, &cart, "nonsense"));
	field_mark(&cart_table, &cart, "seats");
	assert_true(field_is_set(&cart_table, &cart, "seats"));
}

static void one_alone_stands_for_a_list_of_it(void **state)
{
	static const char *const texts[] = {"owner: me\nbells: loud\n", "owner: me\nbells: [loud]\n"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_diags_ struct diags *d = diags_new();
		struct cart cart;
		struct span at;

		assert_int_equal(decode(d, texts[i], &cart), 0);
		assert_int_equal(cart.bells.n, 1);
		assert_string_equal(cart.bells.items[0], "loud");
		at = field_item_span(&cart, "bells", &cart.bells, 0);
		assert_int_equal(at.column, i == 0 ? 8 : 9);
	}
}

static void what_is_wrong(void **state)
{
	static const struct {
		const char *text; /* after "owner: me\n" */
		const char *code;
		unsigned column;
		const char *message; /* a part of it, or of its label */
	} cases[] = {
		{"brake: true", "unknown-key", 1, "did you mean 'brakes'?"},
		{"speed: 3", "unknown-key", 1, "unknown key 'speed' in the cart"},
		{"engine: {v: 8}", "not-supported", 1,
		 "'engine' of the cart is not in this version"},
		{"brakes: yes", "wrong-type", 9, "write true"},
		{"brakes: Off", "wrong-type", 9, "write false"},
		{"brakes: 'true'", "wrong-type", 9, "without quotes"},
		{"brakes: []", "wrong-type", 9, "is a list; it must be true or false"},
		{"seats: '2'", "wrong-type", 8, "without quotes"},
		{"seats: 02", "wrong-type", 8, "leading zeros"},
		{"seats: two", "wrong-type", 8, "is 'two'; it must be a whole number"},
		{"seats: {}", "wrong-type", 8, "is a mapping"},
		{"seats: 5", "out-of-range", 8, "at most 4"},
		{"seats: 0", "out-of-range", 8, "at least 1"},
		{"seats: -99999999999999999999", "out-of-range", 8, "at least 1"},
		{"load: 512", "missing-unit", 7, "did you mean '512MiB'?"},
		{"load: 512m", "bad-value", 7, "did you mean '512MiB'?"},
		{"load: 512mb", "bad-value", 7, "did you mean '512MiB'?"},
		{"load: 1B", "out-of-range", 7, "at least 1MiB"},
		{"load: 2GiB", "out-of-range", 7, "at most 1GiB"},
		{"load: much", "bad-value", 7, "a size with a unit"},
		{"rest: 30", "missing-unit", 7, "did you mean '30s'?"},
		{"rest: 5min", "bad-value", 7, "did you mean '5m'?"},
		{"colour: gren", "unknown-word", 9, "did you mean 'green'?"},
		{"colour: blue", "unknown-word", 9, "one of red, green"},
		{"stickers: a", "wrong-type", 11, "did you mean '[a]'?"},
		{"bells: {}", "wrong-type", 8, "a mapping; it must be a text, or a list of texts"},
		{"bells: Loud", "bad-name", 8, "'Loud' is not a name"},
		{"stickers: [a, b, a]", "duplicate-item", 18, "names 'a' twice"},
		{"stickers: [a, {}]", "wrong-type", 15, "item 2 of 'stickers'"},
		{"spares: [{size: 20}]", "missing-key", 10, "wheel 1 of the cart lacks 'brand'"},
		{"spares: [[]]", "wrong-type", 10, "wheel 1 of the cart is a list"},
		{"front: []", "wrong-type", 8, "must be a mapping"},
		{"front: Thin", "bad-name", 8, "is not a name"},
		{"part: {size: 99}", "out-of-range", 14, "at most 30"},
		{"part: {sizes: 19}", "unknown-key", 8, "did you mean 'size'?"},
		{"wheels: {Left: x}", "bad-name", 10, "'Left' is not a name"},
		{"front: {brand: x, width: 9}", "unknown-key", 19, "unknown key 'width'"},
		{"wheels: {left: {}}", "missing-key", 10, "wheel 'left' of the cart lacks 'brand'"},
		{"wheels: {left: }", "missing-key", 10, "wheel 'left' of the cart lacks 'brand'"},
		{"wheels: [left]", "wrong-type", 9, "must be a mapping"},
		{"key: {file: none}", "unreadable-file", 13, "no such file"},
		{"key: {path: none}", "unknown-key", 7, "it must be {file: PATH}"},
		{"key: {file: []}", "wrong-type", 13, "it must be a path"},
		{"key: {}", "wrong-type", 6, "{file: PATH}"},
		{"key: [x]", "wrong-type", 6, "{file: PATH}"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_diags_ struct diags *d = diags_new();
		_cleanup_(freep) char *text = xasprintf("owner: me\n%s\n", cases[i].text);
		struct cart cart;
		const struct diag *g = d->list;

		assert_int_equal(decode(d, text, &cart), -EINVAL);
		if (d->n != 1 || !streq(g->code, cases[i].code) || g->span.line != 2 ||
		    g->span.column != cases[i].column ||
		    (!strstr(g->message, cases[i].message) &&
		     !(g->label && strstr(g->label, cases[i].message))))
			fail_msg("%s: %zu, %s at %u:%u: %s (%s)", cases[i].text, d->n, g->code,
				 g->span.line, g->span.column, g->message,
				 g->label ? g->label : "-");
	}
}

/* A misspelt key is read as the one that it must be, and what it names isn't missing. */
static void what_is_misspelt(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct cart cart;

	assert_int_equal(decode(d,
				"ownr: me\nwheel: {Left: {brnd: A-1, sizes: 99}}\nstiker: [x]\n"
				"stickers: [b, {}, c, c]\n",
				&cart),
			 -EINVAL);
	diags_sort(d);
	assert_int_equal(d->n, 10);
	assert_string_equal(d->list[0].label, "did you mean 'owner'?");
	assert_string_equal(d->list[1].label, "did you mean 'wheels'?");
	assert_string_equal(d->list[2].label, "did you mean 'left'?");
	assert_string_equal(d->list[3].label, "did you mean 'brand'?");
	assert_string_equal(d->list[4].code, "bad-name");
	assert_string_equal(d->list[5].label, "did you mean 'size'?");
	assert_string_equal(d->list[6].code, "out-of-range");
	assert_string_equal(d->list[7].label, "did you mean 'stickers'?");
	assert_string_equal(d->list[8].code, "wrong-type");
	assert_string_equal(d->list[9].code, "duplicate-item");
	assert_int_equal(d->list[9].also[0].span.column, 19);
}

static void one_wrong_value_hides_no_other(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct cart cart;

	assert_int_equal(decode(d, "seats: x\nload: 1\nbrakes: no\ncolour: red\n", &cart), -EINVAL);
	assert_int_equal(d->n_errors, 4); /* and the owner is missing */
	assert_int_equal(cart.colour, RED);
	assert_true(field_is_set(&cart_table, &cart, "colour"));
	assert_false(field_is_set(&cart_table, &cart, "seats"));
	assert_false(field_is_set(&cart_table, &cart, "brakes"));
}

static void secrets_are_not_quoted(void **state)
{
	static const char *const texts[] = {"key: My Pass Word", "key: {file: bad}"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_diags_ struct diags *d = diags_new();
		_cleanup_(freep) char *text = xasprintf("owner: me\n%s\n", texts[i]);
		struct cart cart;

		assert_int_equal(decode(d, text, &cart), -EINVAL);
		assert_null(strstr(d->list[0].message, "Pass"));
		assert_null(strstr(d->list[0].message, "Not A"));
	}
}

static void where_a_field_stands(void **state)
{
	_cleanup_diags_ struct diags *d = diags_new();
	struct cart cart;
	struct span s;

	assert_int_equal(decode(d,
				"owner: me\nfront: {brand: x, size: 20}\nstickers: [a]\n"
				"spares:\n  - y\n",
				&cart),
			 0);
	s = field_span(&cart, "front.size");
	assert_int_equal(s.line, 2);
	assert_int_equal(s.column, 25);
	s = field_span(&cart, "front");
	assert_int_equal(s.column, 1);
	assert_int_equal(s.end_column, 6);
	s = field_span(&cart.front, "brand");
	assert_int_equal(s.column, 16);
	s = field_span(&cart, "stickers");
	assert_int_equal(s.column, 11);
	s = field_span(&cart, "spares");
	assert_int_equal(s.line, 4);
	assert_int_equal(s.column, 1);
	s = field_span(&cart, "wheels.left");
	assert_int_equal(s.line, 1);
	s = field_span(&(struct record){}, "x");
	assert_null(s.source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_one),
		cmocka_unit_test(what_is_left_out),
		cmocka_unit_test(one_alone_stands_for_a_list_of_it),
		cmocka_unit_test(what_is_wrong),
		cmocka_unit_test(what_is_misspelt),
		cmocka_unit_test(one_wrong_value_hides_no_other),
		cmocka_unit_test(secrets_are_not_quoted),
		cmocka_unit_test(where_a_field_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor slot: what RAUC asks of a boot loader that it doesn't know (its `bootloader-custom-backend`), and nobody else
 * needs. grubenv is the boot menu's, hv/appliance/grub/disk.cfg.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "host/slot.h"

struct slot_call {
	struct arena *arena;
	const char *name; /* a slot's, or NULL */
	bool good;
	struct grubenv *env;
};

static int get_primary(struct slot_call *c)
{
	printf("%s\n", slot_primary(c->env));
	return 0;
}

static int get_state(struct slot_call *c)
{
	printf("%s\n", slot_good(c->env, c->name) ? "good" : "bad");
	return 0;
}

static int set_primary(struct slot_call *c)
{
	slot_set_primary(c->env, c->name);
	return 1;
}

static int set_state(struct slot_call *c)
{
	slot_set_good(c->env, c->name, c->good);
	return 1;
}

static const struct {
	const char *word;
	int operands;
	int (*run)(struct slot_call *c); /* 1: there is something to write */
} calls[] = {
	{"get-primary", 0, get_primary},
	{"set-primary", 1, set_primary},
	{"get-state", 1, get_state},
	{"set-state", 2, set_state},
	{"get-current", 0, NULL},
};

static int bad(const char *text, const char *word)
{
	fprintf(stderr, "manor slot: %s%s; see `manor help slot`\n", text, word);
	return EXIT_BAD;
}

static int failed(const struct err *e)
{
	fprintf(stderr, "manor slot: %s\n", e->message);
	return EXIT_FAILED;
}

/* Of the kernel's arguments alone. */
static int get_current(struct arena *a)
{
	const char *name = slot_current(a);

	if (!name) {
		fprintf(stderr, "manor slot: this system doesn't run from a slot\n");
		return EXIT_FAILED;
	}
	printf("%s\n", name);
	return EXIT_FINE;
}

static int call(struct slot_call *c, int (*run)(struct slot_call *c))
{
	_cleanup_err_ struct err e = {0};
	_cleanup_esp_ struct slot_esp esp = {.dir = -1, .lock = -1};

	if (slot_esp_read(&esp, c->arena, &c->env, &e) < 0)
		return failed(&e);
	if (c->env->damaged)
		fprintf(stderr, "manor slot: grubenv says nothing: %s\n", c->env->damaged);
	if (run(c) && !grubenv_write(esp.dir, SLOT_GRUBENV, c->env, &e))
		return failed(&e);
	return EXIT_FINE;
}

int verb_slot(int argc, char **argv)
{
	static const char *const accepts[] = {"operands", NULL};
	_cleanup_arena_ struct arena *a = arena_new();
	struct slot_call c = {.arena = a};
	struct options o;
	int at, r = options_read(argc, argv, accepts, &o, &at);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	if (at == argc)
		return bad("say what is asked", "");
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (!streq(argv[at], calls[i].word))
			continue;
		if (argc - at - 1 != calls[i].operands)
			return bad("another number of words belongs to ", calls[i].word);
		if (!calls[i].run)
			return get_current(a);
		c.name = calls[i].operands ? argv[at + 1] : NULL;
		if (c.name && word_find(slot_names, c.name) < 0)
			return bad("the slots are A and B, and none is ", c.name);
		c.good = calls[i].operands == 2 && streq(argv[at + 2], "good");
		if (calls[i].operands == 2 && !c.good && !streq(argv[at + 2], "bad"))
			return bad("a slot is good or bad, not ", argv[at + 2]);
		return call(&c, calls[i].run);
	}
	return bad("there is no ", argv[at]);
}

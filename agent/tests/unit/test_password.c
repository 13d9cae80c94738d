/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Hashes of passwords: which are taken, and whose they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/password.h"

/* Each of "lösung 7", by another method, made by libcrypt with little work. */
static const char *const good[] = {
	"$y$j75$saltsaltsalt$WqHx9f1t13sK6.EcoBD6opZIMoLtfnNKiETVFoB5dMA",
	"$gy$j75$saltsaltsalt$MPUKjzszlJH1QI9a8glahw14kqK4a4wpvRYBHB.H/E.",
	"$6$rounds=1000$saltsalt$OhC966TZdBsKeNA8K6.WJgM3DEbCbOsgZvMMNtnLWWauTid7dPpu6igjua0mzY8913haHJW4txPxtKVnddkiq/",
	"$5$rounds=1000$saltsalt$u6ihdGYaVoSOg/zblFEE66zIgqtaFG2FetDNeVp2I7A",
	"$2b$04$abcdefghijklmnopqrstuuYNLTggGMmZZf/6wESwZ546nbbBU7kW6",
};

static void a_hash_is_its_passwords_and_no_others(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(password_hash_check(good[i], NULL), 0);
		assert_true(password_is(good[i], "lösung 7"));
		assert_false(password_is(good[i], "lösung 8"));
		assert_false(password_is(good[i], "lösung 7 "));
		assert_false(password_is(good[i], "losung 7"));
		assert_false(password_is(good[i], ""));
		assert_false(password_is(good[i], good[i]));
	}
}

static void refused(const char *hash, const char *why)
{
	_cleanup_err_ struct err e = {0};

	assert_int_equal(password_hash_check(hash, &e), -EINVAL);
	assert_non_null(strstr(e.message, why));
	assert_non_null(strstr(e.help, "mkpasswd"));
	/* Whatever libcrypt would make of it. */
	assert_false(password_is(hash, "lösung 7"));
}

static void what_keeps_no_password_is_refused(void **state)
{
	refused("lösung 7", "never write the password itself");
	refused("", "never write the password itself");
	refused("abmvlZ/MXCdhE", "never write the password itself"); /* DES */
	refused("*", "never write");
	refused("!$6$locked", "never write");
	refused("$1$saltsalt$EPs1.wpyZynsOUJc8f3VM.", "MD5 ($1$) is soon guessed");
	refused("$sha1$1$x$y", "SHA-1");
	refused("$3$$8846f7eaee8fb117ad06bdd830b7586c", "NT");
	refused("$argon2id$v=19$m=65536$x$y", "no such method");
	refused("$", "no such method");
}

static void a_part_of_one_is_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_(freep) char *part = xstrdup(good[i]);

		/* As editors and line breaks cut it. */
		for (size_t n = strlen(part); n-- > 4;) {
			part[n] = '\0';
			refused(part, "a whole hash");
		}
	}
	refused("$6$rounds=1000$saltsalt$", "86 digits of SHA-512");
	refused("$y$j75$saltsaltsalt$WqHx9f1t13sK6.EcoBD6opZIMoLtfnNKiETVFoB5dMA ", "no blanks");
	refused("$y$j75$saltsaltsalt$WqHx9f1t13sK6.EcoBD6opZIMoLtfnNKiETVFoB5dMA:19000",
		"a whole hash");
}

/* As long as libcrypt takes, and longer. */
static void what_is_too_long_is_nobodys(void **state)
{
	char typed[4096];

	memset(typed, 'x', sizeof(typed) - 1);
	typed[sizeof(typed) - 1] = '\0';
	assert_false(password_is(good[0], typed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hash_is_its_passwords_and_no_others),
		cmocka_unit_test(what_keeps_no_password_is_refused),
		cmocka_unit_test(a_part_of_one_is_refused),
		cmocka_unit_test(what_is_too_long_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

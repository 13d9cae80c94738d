/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/password.h"

#include <crypt.h>
#include <errno.h>

#define DIGITS   "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define HASH_MAX 383 /* CRYPT_OUTPUT_SIZE, and its end */

/* crypt(5). The digits behind the last '$': bcrypt has its salt there, too. */
static const struct method {
	const char *prefix;
	size_t digits; /* 0: refused */
	const char *name;
} methods[] = {
	{"$y$", 43, "yescrypt"},  {"$gy$", 43, "gost-yescrypt"}, {"$7$", 43, "scrypt"},
	{"$6$", 86, "SHA-512"},   {"$5$", 43, "SHA-256"},        {"$2b$", 53, "bcrypt"},
	{"$2y$", 53, "bcrypt"},   {"$2a$", 53, "bcrypt"},        {"$1$", 0, "MD5"},
	{"$sha1$", 0, "SHA-1"},   {"$md5", 0, "MD5"},            {"$3$", 0, "NT"},
	{"$2x$", 0, "a broken bcrypt"},
};

static const struct method *method_of(const char *hash)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (startswith(hash, methods[i].prefix))
			return &methods[i];
	return NULL;
}

static int judge(const char *hash, struct err *e)
{
	const struct method *m = method_of(hash);
	const char *last = strrchr(hash, '$');

	if (!m && hash[0] == '$')
		return err_set(e, -EINVAL,
			       "a password's hash: libcrypt has no such method; it has $y$ "
			       "(yescrypt) and $6$ (SHA-512), say");
	/* DES has no mark, and looks like a password. */
	if (!m)
		return err_set(
			e, -EINVAL,
			"a password's hash as /etc/shadow has it ($y$… or $6$…): never write "
			"the password itself");
	if (!m->digits)
		return err_set(e, -EINVAL,
			       "a hash that keeps a password: %s (%.*s) is soon guessed", m->name,
			       (int)strlen(m->prefix), m->prefix);
	if (strlen(hash) > HASH_MAX || strpbrk(hash, " \t\r\n:;*!\\") ||
	    last < hash + strlen(m->prefix) || strlen(last + 1) != m->digits ||
	    strspn(last + 1, DIGITS) != m->digits)
		return err_set(
			e, -EINVAL,
			"a whole hash: behind its last $ stand %zu digits of %s, and no blanks",
			m->digits, m->name);
	return 0;
}

int password_hash_check(const char *hash, struct err *e)
{
	int r = judge(hash, e);

	if (r < 0)
		err_help(
			e,
			"`mkpasswd` (package whois) or `openssl passwd -6` asks for a password and "
			"prints its hash");
	return r;
}

/* As long for any two of one length. */
static bool same(const char *a, const char *b, size_t n)
{
	unsigned char differ = 0;

	for (size_t i = 0; i < n; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return differ == 0;
}

bool password_is(const char *hash, const char *typed)
{
	struct crypt_data *data = xcalloc(1, sizeof(*data));
	const char *made = NULL;
	bool is = false;

	if (password_hash_check(hash, NULL) == 0)
		made = crypt_r(typed, hash, data);
	/* Of a failure it says "*0". */
	if (made && made[0] == '$')
		is = strlen(made) == strlen(hash) && same(made, hash, strlen(hash));
	explicit_bzero(data, sizeof(*data));
	free(data);
	return is;
}

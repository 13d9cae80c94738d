/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Fetching small texts, and whose they are. Signatures are Ed25519 over the bytes as they are, which `openssl pkeyutl -rawin`
 * makes; GnuTLS looks at them.
 */
#include "host/remote.h"

#include <ctype.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "base/base64.h"
#include "base/str.h"
#include "host/fetch.h"

#define KEY_SIZE       32u
#define SIGNATURE_SIZE 64u
#define SIGNATURE_MAX  4096u /* bytes of its file */
#define LOOK_MAX       1024u /* where a page says that it is one */
#define AGAIN_S        2u

static unsigned now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned)t.tv_sec;
}

static const char *skip_space(const char *s)
{
	if (startswith(s, "\xef\xbb\xbf"))
		s += 3;
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

/* By what it says of itself, or by what the server says of it: no manifest begins so. */
static bool is_page(const char *type, const char *text)
{
	_cleanup_(freep) char *begin = NULL;

	text = skip_space(text);
	if (*text != '<')
		return strncasecmp(type, "text/html", 9) == 0 ||
		       strncasecmp(type, "application/xhtml", 17) == 0;
	begin = xasprintf("%.*s", (int)LOOK_MAX, text);
	return strcasestr(begin, "<!doctype html") || strcasestr(begin, "<html") ||
	       strcasestr(begin, "<head") || strcasestr(begin, "<body") ||
	       strcasestr(begin, "<meta") || strcasestr(begin, "<script") ||
	       strncasecmp(type, "text/html", 9) == 0;
}

static int read_all(struct fetch *f, size_t max, struct str *ret, struct err *e)
{
	char buf[16384];
	uint64_t hole;
	size_t n;
	int r;

	for (;;) {
		r = fetch_read(f, buf, sizeof(buf), &n, &hole, e);
		if (r < 0)
			return r;
		if (n == 0 && hole == 0)
			return 0;
		if (hole > max - MIN_OF(max, ret->n))
			return err_set(e, -EFBIG, "%s is larger than it may be", fetch_shown(f));
		str_addn(ret, buf, n);
		while (hole-- > 0)
			str_addc(ret, '\0');
	}
}

/* Once: with what is left of the time. */
static int fetch_once(const struct remote *q, const char *url, size_t max, unsigned left_s,
		      struct str *ret, struct err *e)
{
	const struct fetch_request request = {
		.url = url,
		.ca = q->ca,
		.tftp = true,
		.time_limit_s = MAX_OF(left_s, 1u),
		.slow_s = 20,
		.max = max,
	};
	_cleanup_fetch_ struct fetch *f = NULL;
	const char *shown;
	int r = fetch_open(&request, &f, e);

	if (r >= 0)
		r = read_all(f, max, ret, e);
	if (r == -ETIMEDOUT)
		err_help(e, "is that server there, and this machine on its network?");
	if (r == -EACCES && e && e->message && strstr(e->message, "certificate"))
		err_help(e, "is this machine's clock right? Authorities that it trusts are in "
			    "/etc/ssl/certs");
	if (r < 0)
		return r;
	shown = fetch_shown(f);
	if (is_page(fetch_type(f), str_get(ret))) {
		err_set(e, -EMEDIUMTYPE, "%s is a web page (HTML), not a manifest", shown);
		err_help(e, "see with a browser what it shows: a proxy's login, a list of files, a "
			    "page around the file");
		return -EMEDIUMTYPE;
	}
	if (*skip_space(str_get(ret)) == '\0' && strlen(str_get(ret)) == ret->n) {
		err_set(e, -ENODATA, "%s is empty", shown);
		err_help(e, "put the file there anew");
		return -ENODATA;
	}
	return 0;
}

/* A server may come up after its clients. */
static int fetch_patiently(const struct remote *q, const char *url, size_t max, struct str *ret,
			   struct err *e)
{
	unsigned begin = now_s(), spent;
	int r;

	for (;;) {
		spent = now_s() - begin;
		str_done(ret);
		r = fetch_once(q, url, max, q->patience_s - MIN_OF(spent, q->patience_s), ret, e);
		spent = now_s() - begin;
		if (r != -EIO || spent + AGAIN_S >= q->patience_s)
			return r;
		sleep(AGAIN_S);
	}
}

/* What a signature's file holds: the bytes, or a line of base64. */
static bool read_signature(const char *data, size_t n, unsigned char ret[SIGNATURE_SIZE])
{
	if (n == SIGNATURE_SIZE) {
		memcpy(ret, data, n);
		return true;
	}
	while (n > 0 && isspace((unsigned char)data[n - 1]))
		n--;
	return n < SIGNATURE_MAX && base64_decode(data, n, ret, SIGNATURE_SIZE);
}

static bool holds(const unsigned char key[KEY_SIZE], const void *data, size_t n,
		  const unsigned char signature[SIGNATURE_SIZE])
{
	const gnutls_datum_t x = {(unsigned char *)key, KEY_SIZE};
	const gnutls_datum_t text = {(unsigned char *)data, (unsigned)n};
	const gnutls_datum_t sig = {(unsigned char *)signature, SIGNATURE_SIZE};
	gnutls_pubkey_t pub;
	bool ok;

	if (gnutls_pubkey_init(&pub) < 0)
		abort();
	ok = gnutls_pubkey_import_ecc_raw(pub, GNUTLS_ECC_CURVE_ED25519, &x, NULL) == 0 &&
	     gnutls_pubkey_verify_data2(pub, GNUTLS_SIGN_EDDSA_ED25519, 0, &text, &sig) >= 0;
	gnutls_pubkey_deinit(pub);
	return ok;
}

/* All of them are read, so that one that is none is told whichever has signed. */
static int read_keys(const char *keys, unsigned char ret[REMOTE_KEYS_MAX][KEY_SIZE], size_t *ret_n,
		     struct err *e)
{
	size_t n = 0;

	for (const char *from = keys;; n++) {
		size_t length = strcspn(from, ",");

		if (n == REMOTE_KEYS_MAX)
			return err_set(e, -EINVAL, "more than %d keys", REMOTE_KEYS_MAX);
		if (!base64_decode(from, length, ret[n], KEY_SIZE)) {
			err_set(e, -EINVAL, "'%.*s' is no key", (int)MIN_OF(length, (size_t)64),
				from);
			err_help(
				e,
				"it is an Ed25519 public key, 32 bytes in base64: openssl pkey -in KEY.pem "
				"-pubout -outform DER | tail -c 32 | base64");
			return -EINVAL;
		}
		if (from[length] == '\0')
			break;
		from += length + 1;
	}
	*ret_n = n + 1;
	return 0;
}

int remote_check(const char *keys, const void *data, size_t n, const void *signature,
		 size_t n_signature, struct err *e)
{
	unsigned char all[REMOTE_KEYS_MAX][KEY_SIZE], sig[SIGNATURE_SIZE];
	size_t n_keys;
	int r = read_keys(keys, all, &n_keys, e);

	if (r < 0)
		return r;
	if (!read_signature(signature, n_signature, sig))
		return err_set(e, -EKEYREJECTED,
			       "the signature is neither 64 bytes of Ed25519 nor those in base64");
	for (size_t i = 0; i < n_keys; i++)
		if (holds(all[i], data, n, sig))
			return 0;
	return err_set(e, -EKEYREJECTED, "the signature is of another file, or by another key");
}

/* "…/hv.yaml?v=1" → "…/hv.yaml.sig?v=1" */
static char *signature_url(const char *url)
{
	size_t n = strcspn(url, "?#");

	return xasprintf("%.*s.sig%s", (int)n, url, url + n);
}

static int check_signature(const struct remote *q, const struct str *text, struct err *e)
{
	_cleanup_(freep) char *url = signature_url(q->url);
	_cleanup_str_ struct str signature = {0};
	int r = fetch_patiently(q, url, SIGNATURE_MAX, &signature, e);

	if (r < 0) {
		err_wrap(e, "its signature");
		return r;
	}
	r = remote_check(q->keys, str_get(text), text->n, str_get(&signature), signature.n, e);
	if (r == -EKEYREJECTED) {
		err_wrap(e, "%s", q->url);
		err_help(e, "sign what is there with that key: openssl pkeyutl -sign -rawin -inkey "
			    "KEY.pem -in FILE -out FILE.sig");
	}
	return r;
}

static int check_digest(const struct remote *q, const struct str *text, struct err *e)
{
	char digest[SHA256_TEXT];

	sha256_of(str_get(text), text->n, digest);
	if (strcasecmp(digest, q->sha256) == 0)
		return 0;
	err_set(e, -EBADMSG, "%s is another file: its sha256 is %s, not %s", q->url, digest,
		q->sha256);
	err_help(e, "if it was changed on purpose, so must be the digest");
	return -EBADMSG;
}

int remote_read(const struct remote *q, char **ret, size_t *ret_n, struct err *e)
{
	unsigned char keys[REMOTE_KEYS_MAX][KEY_SIZE];
	_cleanup_str_ struct str text = {0};
	size_t n_keys;
	int r;

	/* What is meant must be clear before anything is taken for it. */
	if (q->sha256 && (strlen(q->sha256) != SHA256_TEXT - 1 ||
			  strspn(q->sha256, "0123456789abcdefABCDEF") != SHA256_TEXT - 1))
		return err_set(e, -EINVAL, "'%.80s' is no sha256: 64 hex digits", q->sha256);
	r = q->keys ? read_keys(q->keys, keys, &n_keys, e) : 0;
	if (r >= 0)
		r = fetch_patiently(q, q->url, q->max, &text, e);
	if (r >= 0 && q->sha256)
		r = check_digest(q, &text, e);
	if (r >= 0 && q->keys)
		r = check_signature(q, &text, e);
	if (r < 0)
		return r;
	*ret_n = text.n;
	*ret = str_take(&text);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * TLS before the web server of httpd.h, with certificates of its own making: one thread, one connection at
 * a time. In a header, for each test is one program of one source.
 */
#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <time.h>

#include "tests/unit/httpd.h"

struct httpsd {
	int listener, port, plain;
	gnutls_certificate_credentials_t credentials;
};

static inline void httpsd_serve(struct httpsd *s, int fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)},
				.sin_port = htons((uint16_t)s->plain)};
	int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	gnutls_session_t session;
	char buf[16384] = "";
	ssize_t n, all = 0;

	gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL);
	gnutls_set_default_priority(session);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, s->credentials);
	gnutls_transport_set_int(session, fd);
	if (gnutls_handshake(session) == 0) {
		while (!strstr(buf, "\r\n\r\n") && all < (ssize_t)sizeof(buf) - 1 &&
		       (n = gnutls_record_recv(session, buf + all, sizeof(buf) - 1 - (size_t)all)) > 0)
			all += n;
		/* Whoever doesn't trust us goes away without a word. */
		if (all > 0 && connect(to, (struct sockaddr *)&a, sizeof(a)) < 0)
			abort();
		httpd_put(to, buf, (size_t)all);
		while (all > 0 && (n = read(to, buf, sizeof(buf))) > 0)
			if (gnutls_record_send(session, buf, (size_t)n) < 0)
				break;
		gnutls_bye(session, GNUTLS_SHUT_WR);
	}
	gnutls_deinit(session);
	close(to);
}

static void *httpsd_loop(void *data)
{
	struct httpsd *s = data;

	for (;;) {
		int fd = accept(s->listener, NULL, NULL);

		if (fd < 0)
			continue;
		httpsd_serve(s, fd);
		close(fd);
	}
	return NULL;
}

/* Starts one whose certificate, written to `pem`, is for that address (IPv4) or else that name. */
static inline void httpsd_start(struct httpsd *s, const char *address, const char *name,
				const char *pem)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t text;
	socklen_t n = sizeof(a);
	pthread_t thread;
	struct in_addr ip;
	FILE *f;

	gnutls_x509_privkey_init(&key);
	gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
				     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\1", 1);
	gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
	gnutls_x509_crt_set_dn(crt, "CN=test", NULL);
	gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
	gnutls_x509_crt_set_key(crt, key);
	if (address && inet_pton(AF_INET, address, &ip) == 1)
		gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, &ip, sizeof(ip), 0);
	else
		gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name,
						     (unsigned)strlen(name), 0);
	if (gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) < 0 ||
	    gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &text) < 0)
		abort();
	f = fopen(pem, "w");
	if (!f || fwrite(text.data, 1, text.size, f) != text.size || fclose(f) != 0)
		abort();
	gnutls_free(text.data);
	gnutls_certificate_allocate_credentials(&s->credentials);
	gnutls_certificate_set_x509_key(s->credentials, &crt, 1, key);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	s->plain = httpd_start();
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->listener, (struct sockaddr *)&a, n) < 0 || listen(s->listener, 16) < 0 ||
	    pthread_create(&thread, NULL, httpsd_loop, s) != 0)
		abort();
	getsockname(s->listener, (struct sockaddr *)&a, &n);
	s->port = ntohs(a.sin_port);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Certificates for a test, made by GnuTLS on the spot. */
#ifndef CERTIFICATES_H
#define CERTIFICATES_H

#include <gnutls/x509.h>
#include <time.h>

struct authority {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t certificate;
};

void authority_make(struct authority *authority, const char *name);
void authority_free(struct authority *authority);

/* DIR/ca-cert.pem */
void authority_write(const struct authority *authority, const char *dir);
struct issue {
	const char *purpose;	/* GNUTLS_KP_TLS_WWW_SERVER or _CLIENT */
	time_t expires;
	const char *address;	/* IPv4 address it is for; NULL: 127.0.0.1 */
};

/* DIR/WHO-cert.pem and WHO-key.pem */
void authority_issue(const struct authority *authority, const char *dir, const char *who,
		     const struct issue *issue);
/* All five files of creds_load_x509(), good for an hour. */
void authority_fill(const struct authority *authority, const char *dir);

#endif

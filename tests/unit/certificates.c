// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "certificates.h"

static void need(int err)
{
	if (err < 0) {
		printf("# GnuTLS: %s\n", gnutls_strerror(err));
		abort();
	}
}

static gnutls_x509_privkey_t make_key(void)
{
	gnutls_x509_privkey_t key;

	need(gnutls_x509_privkey_init(&key));
	need(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	return key;
}

static gnutls_x509_crt_t make_certificate(const char *name, gnutls_x509_privkey_t key,
					  time_t expires)
{
	static unsigned char serial;
	gnutls_x509_crt_t certificate;

	serial++;
	need(gnutls_x509_crt_init(&certificate));
	need(gnutls_x509_crt_set_version(certificate, 3));
	need(gnutls_x509_crt_set_serial(certificate, &serial, 1));
	need(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name,
					   strlen(name)));
	need(gnutls_x509_crt_set_key(certificate, key));
	need(gnutls_x509_crt_set_activation_time(certificate, time(NULL) - 7200));
	need(gnutls_x509_crt_set_expiration_time(certificate, expires));
	return certificate;
}

static void write_pem(const char *dir, const char *who, const char *what, gnutls_datum_t *pem)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s-%s.pem", dir, who, what);
	file = fopen(path, "we");
	if (!file || fwrite(pem->data, pem->size, 1, file) != 1 || fclose(file))
		abort();
	gnutls_free(pem->data);
}

void authority_make(struct authority *authority, const char *name)
{
	authority->key = make_key();
	authority->certificate = make_certificate(name, authority->key, time(NULL) + 3600);
	need(gnutls_x509_crt_set_basic_constraints(authority->certificate, 1, -1));
	need(gnutls_x509_crt_set_key_usage(authority->certificate, GNUTLS_KEY_KEY_CERT_SIGN));
	need(gnutls_x509_crt_sign2(authority->certificate, authority->certificate, authority->key,
				   GNUTLS_DIG_SHA256, 0));
}

void authority_free(struct authority *authority)
{
	gnutls_x509_crt_deinit(authority->certificate);
	gnutls_x509_privkey_deinit(authority->key);
}

void authority_write(const struct authority *authority, const char *dir)
{
	gnutls_datum_t pem;

	mkdir(dir, 0700);
	need(gnutls_x509_crt_export2(authority->certificate, GNUTLS_X509_FMT_PEM, &pem));
	write_pem(dir, "ca", "cert", &pem);
}

void authority_issue(const struct authority *authority, const char *dir, const char *who,
		     const struct issue *issue)
{
	gnutls_x509_privkey_t key = make_key();
	gnutls_x509_crt_t certificate = make_certificate(who, key, issue->expires);
	gnutls_datum_t pem;
	struct in_addr in;

	inet_pton(AF_INET, issue->address ? issue->address : "127.0.0.1", &in);
	need(gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, &in, sizeof(in),
						  GNUTLS_FSAN_SET));
	need(gnutls_x509_crt_set_basic_constraints(certificate, 0, -1));
	need(gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE));
	need(gnutls_x509_crt_set_key_purpose_oid(certificate, issue->purpose, 0));
	need(gnutls_x509_crt_sign2(certificate, authority->certificate, authority->key,
				   GNUTLS_DIG_SHA256, 0));
	need(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem));
	write_pem(dir, who, "cert", &pem);
	need(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem));
	write_pem(dir, who, "key", &pem);
	gnutls_x509_crt_deinit(certificate);
	gnutls_x509_privkey_deinit(key);
}

void authority_fill(const struct authority *authority, const char *dir)
{
	time_t hour = time(NULL) + 3600;

	authority_write(authority, dir);
	authority_issue(authority, dir, "server",
			&(struct issue){ .purpose = GNUTLS_KP_TLS_WWW_SERVER, .expires = hour });
	authority_issue(authority, dir, "client",
			&(struct issue){ .purpose = GNUTLS_KP_TLS_WWW_CLIENT, .expires = hour });
}

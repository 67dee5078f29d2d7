/* SPDX-License-Identifier: GPL-2.0-only */
/* Who may talk to this daemon: a pre-shared key, certificates, or nobody but loopback. */
#ifndef CREDS_H
#define CREDS_H

#include <gnutls/gnutls.h>
#include <stdbool.h>

#include "fault.h"

enum creds_kind { CREDS_NONE, CREDS_PSK, CREDS_X509 };

struct creds {
	enum creds_kind kind;
	bool insecure;		/* peers other than loopback without authentication */
	gnutls_psk_server_credentials_t psk_server;
	gnutls_psk_client_credentials_t psk_client;
	gnutls_certificate_credentials_t x509_server;
	gnutls_certificate_credentials_t x509_client;
	char psk_user[64];
	gnutls_datum_t psk_key;
};

/* A file of lines user:hexkey, as psktool and QEMU's tls-creds-psk have it. */
int creds_load_psk(struct creds *creds, const char *path, struct fault *fault);
/*
 * A directory with ca-cert.pem, server-cert.pem, server-key.pem, client-cert.pem
 * and client-key.pem, as QEMU's tls-creds-x509 has it.
 */
int creds_load_x509(struct creds *creds, const char *dir, struct fault *fault);
void creds_free(struct creds *creds);

#endif

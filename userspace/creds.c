// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "creds.h"

static int read_psk(struct creds *creds, const char *path, char *line, size_t bytes,
		    struct fault *fault)
{
	FILE *file = fopen(path, "re");
	struct stat st;
	char *colon;

	if (!file)
		return fail(fault, "cannot read the key file %s: %s", path, strerror(errno));
	if (!fstat(fileno(file), &st) && (st.st_mode & 077)) {
		fclose(file);
		return fail(fault, "%s can be read by others: chmod 600 %s", path, path);
	}
	line = fgets(line, bytes, file);
	fclose(file);
	colon = line ? strchr(line, ':') : NULL;
	if (!colon || colon == line || colon - line >= (long)sizeof(creds->psk_user))
		return fail(fault, "%s: the first line must be user:hexkey", path);
	if (!strchr(line, '\n') && strlen(line) == bytes - 1)
		return fail(fault, "%s: the key is too long", path);
	memcpy(creds->psk_user, line, colon - line);
	creds->psk_user[colon - line] = 0;
	colon[strcspn(colon, "\r\n")] = 0;
	if (strlen(colon + 1) < 32)
		return fail(fault, "%s: the key has less than 128 bits", path);
	creds->psk_key.data = (unsigned char *)strdup(colon + 1);
	creds->psk_key.size = strlen(colon + 1);
	return 0;
}

int creds_load_psk(struct creds *creds, const char *path, struct fault *fault)
{
	char line[1200];
	int err;

	if (read_psk(creds, path, line, sizeof(line), fault))
		return -1;
	gnutls_psk_allocate_server_credentials(&creds->psk_server);
	gnutls_psk_allocate_client_credentials(&creds->psk_client);
	gnutls_psk_set_server_credentials_file(creds->psk_server, path);
	err = gnutls_psk_set_client_credentials(creds->psk_client, creds->psk_user,
						&creds->psk_key, GNUTLS_PSK_KEY_HEX);
	if (err)
		return fail(fault, "%s: %s", path, gnutls_strerror(err));
	creds->kind = CREDS_PSK;
	return 0;
}

static int load_pair(gnutls_certificate_credentials_t *pair, const char *dir, const char *who,
		     struct fault *fault)
{
	char ca[512], cert[512], key[512];
	int err;

	snprintf(ca, sizeof(ca), "%s/ca-cert.pem", dir);
	snprintf(cert, sizeof(cert), "%s/%s-cert.pem", dir, who);
	snprintf(key, sizeof(key), "%s/%s-key.pem", dir, who);
	gnutls_certificate_allocate_credentials(pair);
	err = gnutls_certificate_set_x509_trust_file(*pair, ca, GNUTLS_X509_FMT_PEM);
	if (err < 1)
		return fail(fault, "%s: %s", ca, err ? gnutls_strerror(err) : "no certificate");
	err = gnutls_certificate_set_x509_key_file(*pair, cert, key, GNUTLS_X509_FMT_PEM);
	if (err < 0)
		return fail(fault, "%s, %s: %s", cert, key, gnutls_strerror(err));
	return 0;
}

int creds_load_x509(struct creds *creds, const char *dir, struct fault *fault)
{
	if (load_pair(&creds->x509_server, dir, "server", fault) ||
	    load_pair(&creds->x509_client, dir, "client", fault))
		return -1;
	creds->kind = CREDS_X509;
	return 0;
}

void creds_free(struct creds *creds)
{
	if (creds->psk_server)
		gnutls_psk_free_server_credentials(creds->psk_server);
	if (creds->psk_client)
		gnutls_psk_free_client_credentials(creds->psk_client);
	if (creds->x509_server)
		gnutls_certificate_free_credentials(creds->x509_server);
	if (creds->x509_client)
		gnutls_certificate_free_credentials(creds->x509_client);
	free(creds->psk_key.data);
	memset(creds, 0, sizeof(*creds));
}

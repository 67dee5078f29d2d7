// SPDX-License-Identifier: GPL-2.0-only
/* Key files and certificate directories: what is taken, what is refused and why. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certificates.h"
#include "creds.h"
#include "scratch.h"
#include "tap.h"

#define KEY "0123456789abcdef0123456789abcdef"

static struct creds creds;
static struct fault fault;

static void psk_refused(const char *text, mode_t mode, const char *why)
{
	memset(&creds, 0, sizeof(creds));
	CHECK(creds_load_psk(&creds, scratch_file("psk", text, mode), &fault) == -1);
	CHECK_HAS(fault.text, why);
	CHECK_HAS(fault.text, "/psk");
	CHECK(creds.kind == CREDS_NONE);
	creds_free(&creds);
}

static void psk(void)
{
	memset(&creds, 0, sizeof(creds));
	CHECK(!creds_load_psk(&creds, scratch_file("psk", "vm:" KEY "\n", 0600), &fault));
	CHECK(creds.kind == CREDS_PSK && creds.psk_server && creds.psk_client);
	CHECK_TEXT(creds.psk_user, "vm");
	CHECK(creds.psk_key.size == 32 && !memcmp(creds.psk_key.data, KEY, 32));
	creds_free(&creds);
	CHECK(creds.kind == CREDS_NONE && !creds.psk_key.data);
	creds_free(&creds);
}

static void psk_line_ends(void)
{
	static const char *const texts[] = { "u:" KEY, "u:" KEY "\r\n",
					    "u:" KEY "\nother:" KEY "\n" };
	size_t i;

	for (i = 0; i < 3; i++) {
		memset(&creds, 0, sizeof(creds));
		CHECK(!creds_load_psk(&creds, scratch_file("psk", texts[i], 0400), &fault));
		CHECK(creds.psk_key.size == 32);
		creds_free(&creds);
	}
}

static void psk_permissions(void)
{
	static const mode_t bad[] = { 0640, 0604, 0660, 0644, 0620, 0601, 0777 };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		psk_refused("vm:" KEY "\n", bad[i], "chmod 600");
}

static void psk_bad_files(void)
{
	char text[2048];

	psk_refused("", 0600, "user:hexkey");
	psk_refused("\n", 0600, "user:hexkey");
	psk_refused("nocolon\n", 0600, "user:hexkey");
	psk_refused(":" KEY "\n", 0600, "user:hexkey");
	psk_refused("vm:\n", 0600, "128 bits");
	psk_refused("vm:0123456789abcdef0123456789abcde\n", 0600, "128 bits");
	psk_refused("vm:0123456789abcdef0123456789abcdeg\n", 0600, "/psk");
	psk_refused("vm:0123456789abcdef0123456789abcdef0\n", 0600, "/psk");
	psk_refused("vm: 123456789abcdef0123456789abcdef\n", 0600, "/psk");

	memset(text, 'u', 64);
	strcpy(text + 64, ":" KEY "\n");
	psk_refused(text, 0600, "user:hexkey");
	CHECK(creds_load_psk(&creds, scratch_path("missing"), &fault) == -1);
	CHECK_HAS(fault.text, "No such file");
}

/* A key that does not fit must not be cut: the peer's would not match it. */
static void psk_long_key(void)
{
	char text[2100] = "vm:";

	memset(text + 3, 'a', 2000);
	strcpy(text + 2003, "\n");
	psk_refused(text, 0600, "long");
}

static void x509(void)
{
	struct authority ca;

	authority_make(&ca, "CA");
	authority_fill(&ca, scratch_dir());
	memset(&creds, 0, sizeof(creds));
	CHECK(!creds_load_x509(&creds, scratch_dir(), &fault));
	CHECK(creds.kind == CREDS_X509 && creds.x509_server && creds.x509_client);
	creds_free(&creds);
	authority_free(&ca);
}

static void x509_refused(const char *why)
{
	memset(&creds, 0, sizeof(creds));
	CHECK(creds_load_x509(&creds, scratch_dir(), &fault) == -1);
	CHECK_HAS(fault.text, why);
	CHECK(creds.kind == CREDS_NONE);
	creds_free(&creds);
}

static void x509_missing(void)
{
	static const char *const files[] = { "ca-cert.pem", "server-cert.pem", "server-key.pem",
					     "client-cert.pem", "client-key.pem" };
	struct authority ca;
	size_t i;

	authority_make(&ca, "CA");
	for (i = 0; i < 5; i++) {
		authority_fill(&ca, scratch_dir());
		unlink(scratch_path(files[i]));
		x509_refused(files[i]);
	}
	authority_free(&ca);
}

static void x509_broken(void)
{
	struct authority ca;

	authority_make(&ca, "CA");
	authority_fill(&ca, scratch_dir());
	scratch_file("ca-cert.pem", "", 0600);
	x509_refused("ca-cert.pem");
	scratch_file("ca-cert.pem",
		     "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0600);
	x509_refused("ca-cert.pem");
	authority_fill(&ca, scratch_dir());
	scratch_file("client-key.pem", "nonsense\n", 0600);
	x509_refused("client-key.pem");
	/* A key of another certificate. */
	authority_fill(&ca, scratch_dir());
	rename(scratch_path("client-key.pem"), scratch_path("server-key.pem"));
	x509_refused("server-key.pem");
	authority_free(&ca);
}

int main(void)
{
	static const struct test tests[] = {
		{ "a key file", psk },
		{ "ends of lines in a key file", psk_line_ends },
		{ "a key file others can read", psk_permissions },
		{ "bad key files", psk_bad_files },
		{ "a key that is too long", psk_long_key },
		{ "certificates", x509 },
		{ "missing certificates", x509_missing },
		{ "broken certificates", x509_broken },
	};

	return TAP_RUN(tests);
}

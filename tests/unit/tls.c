// SPDX-License-Identifier: GPL-2.0-only
/* Who may talk to a daemon: keys, certificates, and what TLS is put through. */
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "certificates.h"
#include "chan.h"
#include "clock.h"
#include "meeting.h"
#include "scratch.h"
#include "tap.h"

static const struct creds none;
static struct fault fault;

static void psk(void)
{
	struct meeting meeting = { 0 };
	struct creds creds;

	meeting_psk(&creds, "vm", MEETING_KEY);
	meeting.client_creds = &creds;
	meeting.server_creds = &creds;
	meeting_must(&meeting);
	CHECK(gnutls_protocol_get_version(meeting.client.tls) == GNUTLS_TLS1_3);
	CHECK(gnutls_auth_get_type(meeting.server.tls) == GNUTLS_CRD_PSK);
	meeting_pass_all(&meeting);
	part(&meeting);
	creds_free(&creds);
}

/* The key alone would not do: what was recorded could be read once it leaks. */
static void psk_forward_secrecy(void)
{
	struct meeting meeting = { 0 };
	struct creds creds;

	meeting_psk(&creds, "vm", MEETING_KEY);
	meeting.client_creds = &creds;
	meeting.server_creds = &creds;
	meeting_must(&meeting);
	CHECK(gnutls_kx_get(meeting.server.tls) == GNUTLS_KX_ECDHE_PSK ||
	      gnutls_kx_get(meeting.server.tls) == GNUTLS_KX_DHE_PSK);
	part(&meeting);
	creds_free(&creds);
}

/* Takes over both. Neither side may take the other for good. */
static void not_together(struct creds *client, struct creds *server)
{
	struct meeting meeting = { .client_creds = client, .server_creds = server };
	uint64_t start_ms = clock_ms();
	char byte;

	signal(SIGPIPE, SIG_IGN);	/* as the daemon has it */
	meet(&meeting);
	CHECK(meeting.server_err == -1 && meeting.server.fd == -1);
	CHECK(*meeting.server_fault.text);
	/* A TLS 1.3 client may learn only with its first read that it was refused. */
	if (!meeting.client_err && meeting.client.tls)
		CHECK(chan_read(&meeting.client, &byte, 1) <= 0);
	CHECK(clock_ms() - start_ms < 9000);
	part(&meeting);
	creds_free(client);
	creds_free(server);
}

static void psk_other_key(void)
{
	struct creds client, server;

	meeting_psk(&client, "vm", MEETING_KEY);
	meeting_psk(&server, "vm", "00000000000000000000000000000000");
	not_together(&client, &server);
}

static void psk_other_user(void)
{
	struct creds client, server;

	meeting_psk(&client, "mv", MEETING_KEY);
	meeting_psk(&server, "vm", MEETING_KEY);
	not_together(&client, &server);
}

static void psk_no_client_key(void)
{
	struct meeting meeting = { .client_creds = &none };
	struct creds creds;
	json_t *message;

	meeting_psk(&creds, "vm", MEETING_KEY);
	meeting.server_creds = &creds;
	meet(&meeting);		/* the server's patience with it ends */
	CHECK(meeting.server_err == -1);
	CHECK_HAS(meeting.server_fault.text, "TLS");
	CHECK(!meeting.client_err);
	CHECK(chan_receive(&meeting.client, 1000, &message, &fault) == -1);
	part(&meeting);
	creds_free(&creds);
}

static void psk_no_server_key(void)
{
	struct meeting meeting = { .server_creds = &none };
	struct creds creds;
	json_t *message;

	meeting_psk(&creds, "vm", MEETING_KEY);
	meeting.client_creds = &creds;
	meet(&meeting);
	CHECK(meeting.client_err == -1 && meeting.client.fd == -1);
	CHECK_HAS(meeting.client_fault.text, "TLS");
	CHECK(!meeting.server_err);
	CHECK(chan_receive(&meeting.server, 1000, &message, &fault) == -1 && !message);
	part(&meeting);
	creds_free(&creds);
}

static void load_x509(struct creds *creds, const struct authority *authority, const char *name)
{
	const char *dir = scratch_path(name);

	authority_fill(authority, dir);
	memset(creds, 0, sizeof(*creds));
	if (creds_load_x509(creds, dir, &fault))
		tap_give_up(fault.text);
}

static void x509(void)
{
	struct meeting meeting = { 0 };
	struct authority ca;
	struct creds creds;

	authority_make(&ca, "CA");
	load_x509(&creds, &ca, "x509");
	meeting.client_creds = &creds;
	meeting.server_creds = &creds;
	meeting_must(&meeting);
	CHECK(gnutls_protocol_get_version(meeting.client.tls) == GNUTLS_TLS1_3);
	CHECK(gnutls_certificate_get_peers(meeting.server.tls, NULL) != NULL);
	meeting_pass_all(&meeting);
	part(&meeting);
	creds_free(&creds);
	authority_free(&ca);
}

static void x509_other_ca(void)
{
	struct authority ca, other;
	struct creds client, server;

	authority_make(&ca, "CA");
	authority_make(&other, "CA");	/* of the same name */
	load_x509(&client, &ca, "a");
	load_x509(&server, &other, "b");
	not_together(&client, &server);
	authority_free(&ca);
	authority_free(&other);
}

/* The server's is good; the client's own comes from elsewhere. */
static void x509_other_client(void)
{
	struct authority ca, other;
	struct creds client, server;

	authority_make(&ca, "CA");
	authority_make(&other, "CA");
	authority_fill(&ca, scratch_path("a"));
	authority_issue(&other, scratch_path("a"), "client",
			&(struct issue){ .purpose = GNUTLS_KP_TLS_WWW_CLIENT,
					 .expires = time(NULL) + 3600 });
	memset(&client, 0, sizeof(client));
	CHECK(!creds_load_x509(&client, scratch_path("a"), &fault));
	load_x509(&server, &ca, "b");
	not_together(&client, &server);
	authority_free(&ca);
	authority_free(&other);
}

static void x509_no_client_certificate(void)
{
	struct creds client = { .kind = CREDS_X509 }, server;
	struct authority ca;

	authority_make(&ca, "CA");
	load_x509(&server, &ca, "x509");
	gnutls_certificate_allocate_credentials(&client.x509_client);
	CHECK(gnutls_certificate_set_x509_trust_file(client.x509_client,
						     scratch_path("x509/ca-cert.pem"),
						     GNUTLS_X509_FMT_PEM) == 1);
	not_together(&client, &server);
	authority_free(&ca);
}

/* @who has that certificate; the other one refuses it. */
static void x509_refuses(const char *who, const struct issue *issue, const char *why)
{
	struct meeting meeting = { 0 };
	struct creds good, bad;
	struct authority ca;
	bool server = !strcmp(who, "server");
	char byte;

	signal(SIGPIPE, SIG_IGN);
	authority_make(&ca, "CA");
	load_x509(&good, &ca, "good");
	authority_fill(&ca, scratch_path("bad"));
	authority_issue(&ca, scratch_path("bad"), who, issue);
	memset(&bad, 0, sizeof(bad));
	CHECK(!creds_load_x509(&bad, scratch_path("bad"), &fault));
	meeting.client_creds = server ? &good : &bad;
	meeting.server_creds = server ? &bad : &good;
	meet(&meeting);
	CHECK((server ? meeting.client_err : meeting.server_err) == -1);
	CHECK_HAS(server ? meeting.client_fault.text : meeting.server_fault.text, why);
	if (!server && !meeting.client_err)
		CHECK(chan_read(&meeting.client, &byte, 1) <= 0);
	part(&meeting);
	creds_free(&good);
	creds_free(&bad);
	authority_free(&ca);
}

static void x509_expired(void)
{
	struct issue issue = { .purpose = GNUTLS_KP_TLS_WWW_SERVER, .expires = time(NULL) - 60 };

	x509_refuses("server", &issue, "expired");
	issue.purpose = GNUTLS_KP_TLS_WWW_CLIENT;
	x509_refuses("client", &issue, "expired");
}

/* Who may connect with a certificate may not pass for a host with it. */
static void x509_purpose(void)
{
	struct issue issue = { .purpose = GNUTLS_KP_TLS_WWW_CLIENT, .expires = time(NULL) + 3600 };

	x509_refuses("server", &issue, "certificate of");
	issue.purpose = GNUTLS_KP_TLS_WWW_SERVER;
	x509_refuses("client", &issue, "certificate of");
}

/* Nor may one host pass for another. */
static void x509_other_host(void)
{
	struct issue issue = { .purpose = GNUTLS_KP_TLS_WWW_SERVER, .expires = time(NULL) + 3600,
			       .address = "127.0.0.2" };

	x509_refuses("server", &issue, "certificate of");
}

/* Certificates, of any CA, do not stand in for the key, on neither side. */
static void mixed(void)
{
	struct meeting meeting = { 0 };
	struct creds key, certificates;
	struct authority ca;

	signal(SIGPIPE, SIG_IGN);
	authority_make(&ca, "CA");
	load_x509(&certificates, &ca, "x509");
	meeting_psk(&key, "vm", MEETING_KEY);
	meeting.client_creds = &key;
	meeting.server_creds = &certificates;
	meet(&meeting);
	CHECK(meeting.client_err == -1 && meeting.server_err == -1);
	part(&meeting);
	meeting.client_creds = &certificates;
	meeting.server_creds = &key;
	meet(&meeting);
	CHECK(meeting.client_err == -1 && meeting.server_err == -1);
	part(&meeting);
	creds_free(&key);
	creds_free(&certificates);
	authority_free(&ca);
}

static void *drip_handshake(void *arg)
{
	/* The head of a record of 16 KiB: a ClientHello to come. */
	static const char head[] = "\x16\3\1\x40\0\1\0\x3f\xfc\3\3";
	int fd = (int)(long)arg;
	unsigned int i;

	for (i = 0; i < 100; i++) {
		if (send(fd, i < sizeof(head) - 1 ? head + i : "\0", 1, MSG_NOSIGNAL) != 1)
			break;
		usleep(100000);
	}
	return NULL;
}

/* Who has shown no key yet must not hold a thread. */
static void slow_handshake(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0), listener;
	uint64_t start_ms = clock_ms();
	pthread_t thread;
	struct creds creds;
	struct chan chan;
	uint16_t port;

	signal(SIGPIPE, SIG_IGN);
	meeting_psk(&creds, "vm", MEETING_KEY);
	listener = meeting_listen("127.0.0.1", &port);
	addr.sin_port = htons(port);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(!connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	CHECK(!pthread_create(&thread, NULL, drip_handshake, (void *)(long)fd));
	CHECK(chan_accept(&chan, accept(listener, NULL, NULL), &creds, &fault) == -1);
	CHECK(clock_ms() - start_ms < 8000);
	pthread_join(thread, NULL);
	close(fd);
	close(listener);
	creds_free(&creds);
}

/* Sends all of a record but its last bytes, and says it was all. */
static ssize_t push_short(gnutls_transport_ptr_t fd, const void *data, size_t bytes)
{
	send((int)(long)fd, data, bytes - 5, MSG_NOSIGNAL);
	return (ssize_t)bytes;
}

/* A record that does not come to its end, as when someone between them cuts it. */
static void half_a_record(void)
{
	struct meeting meeting = { 0 };
	struct creds creds;
	json_t *message;
	uint64_t start_ms;

	meeting_psk(&creds, "vm", MEETING_KEY);
	meeting.client_creds = &creds;
	meeting.server_creds = &creds;
	meeting_must(&meeting);
	gnutls_transport_set_ptr(meeting.client.tls, (void *)(long)meeting.client.fd);
	gnutls_transport_set_push_function(meeting.client.tls, push_short);
	start_ms = clock_ms();
	CHECK(!chan_send(&meeting.client, meeting_message(100), &fault));
	CHECK(chan_receive(&meeting.server, 300, &message, &fault) == -1 && !message);
	CHECK(clock_ms() - start_ms < 8000);
	gnutls_deinit(meeting.client.tls);
	meeting.client.tls = NULL;
	part(&meeting);
	creds_free(&creds);
}

/* What GnuTLS has read and not handed out is readable, though the socket is empty. */
static void pending(void)
{
	struct meeting meeting = { 0 };
	struct creds creds;
	char data[1000], byte;
	size_t i;

	meeting_psk(&creds, "vm", MEETING_KEY);
	meeting.client_creds = &creds;
	meeting.server_creds = &creds;
	meeting_must(&meeting);
	CHECK(!chan_readable(&meeting.server, 0));
	for (i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 31);
	CHECK(!chan_write(&meeting.client, data, sizeof(data)));
	for (i = 0; i < sizeof(data); i++) {
		CHECK(chan_readable(&meeting.server, 1000));
		CHECK(chan_read(&meeting.server, &byte, 1) == 1 && byte == data[i]);
	}
	CHECK(!chan_readable(&meeting.server, 0));
	part(&meeting);
	creds_free(&creds);
}

/* An end that is not TLS's own, as when someone cuts the connection. */
static void cut(void)
{
	struct meeting meeting = { 0 };
	struct creds creds;
	json_t *message;

	meeting_psk(&creds, "vm", MEETING_KEY);
	meeting.client_creds = &creds;
	meeting.server_creds = &creds;
	meeting_must(&meeting);
	shutdown(meeting.client.fd, SHUT_WR);
	CHECK(chan_receive(&meeting.server, 2000, &message, &fault) == -1 && !message);
	CHECK_HAS(fault.text, "is lost");
	signal(SIGPIPE, SIG_IGN);
	part(&meeting);
	creds_free(&creds);
}

int main(void)
{
	static const struct test tests[] = {
		{ "PSK", psk },
		{ "PSK with forward secrecy", psk_forward_secrecy },
		{ "PSK, another key", psk_other_key },
		{ "PSK, another user", psk_other_user },
		{ "PSK, client has none", psk_no_client_key },
		{ "PSK, server has none", psk_no_server_key },
		{ "x509", x509 },
		{ "x509, another CA", x509_other_ca },
		{ "x509, client of another CA", x509_other_client },
		{ "x509, client without a certificate", x509_no_client_certificate },
		{ "x509, expired", x509_expired },
		{ "x509, certificate for another purpose", x509_purpose },
		{ "x509, certificate of another host", x509_other_host },
		{ "certificates instead of the key", mixed },
		{ "a slow handshake", slow_handshake },
		{ "half a TLS record", half_a_record },
		{ "what TLS holds can be read", pending },
		{ "a TLS connection cut off", cut },
	};

	return TAP_RUN(tests);
}

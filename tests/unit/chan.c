// SPDX-License-Identifier: GPL-2.0-only
/* Daemons' connections over loopback: messages, what is none, and who may talk. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certificates.h"
#include "chan.h"
#include "clock.h"
#include "meeting.h"
#include "scratch.h"
#include "tap.h"

static const struct creds none;
static struct fault fault;

/* {"x": text of that many bytes}, of @bytes altogether */
static json_t *message_of(size_t bytes)
{
	char *text = malloc(bytes);
	json_t *message;

	memset(text, 'x', bytes);
	message = json_pack("{s:s#}", "x", text, (int)(bytes - strlen("{\"x\":\"\"}")));
	free(text);
	return message;
}

struct sending {
	struct chan *chan;
	size_t bytes;
};

static void *sender(void *arg)
{
	struct sending *sending = arg;
	struct fault ignored;

	CHECK(!chan_send(sending->chan, message_of(sending->bytes), &ignored));
	return NULL;
}

static void pass(struct chan *from, struct chan *to, size_t bytes)
{
	struct sending sending = { .chan = from, .bytes = bytes };
	pthread_t thread;
	json_t *message;
	char *text;

	CHECK(!pthread_create(&thread, NULL, sender, &sending));
	CHECK(!chan_receive(to, 5000, &message, &fault));
	pthread_join(thread, NULL);
	text = json_dumps(message, JSON_COMPACT);
	CHECK(text && strlen(text) == bytes);
	free(text);
	json_decref(message);
}

static void pass_all(struct meeting *meeting)
{
	static const size_t sizes[] = { 8, 100, 16384, 16385, 65536, CHAN_MESSAGE_BYTES };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		pass(&meeting->client, &meeting->server, sizes[i]);
		pass(&meeting->server, &meeting->client, sizes[i]);
	}
}

static void met(struct meeting *meeting)
{
	meet(meeting);
	if (meeting->client_err)
		tap_give_up(meeting->client_fault.text);
	if (meeting->server_err)
		tap_give_up(meeting->server_fault.text);
}

static void plain(void)
{
	struct meeting meeting = { .client_creds = &none, .server_creds = &none };

	met(&meeting);
	CHECK(!meeting.client.tls && !meeting.server.tls);
	CHECK(!strncmp(meeting.client.peer, "127.0.0.1:", 10));
	CHECK(!strncmp(meeting.server.peer, "127.0.0.1:", 10));
	CHECK(meeting.client.remote.ss_family == AF_INET);
	CHECK(!memcmp(&meeting.client.remote, &meeting.server.local, sizeof(struct sockaddr_in)));
	CHECK(!memcmp(&meeting.client.local, &meeting.server.remote, sizeof(struct sockaddr_in)));
	pass_all(&meeting);
	part(&meeting);
	part(&meeting);
}

static void in_order(void)
{
	struct meeting meeting = { .client_creds = &none, .server_creds = &none };
	json_t *message;
	int i;

	met(&meeting);
	for (i = 0; i < 500; i++)
		CHECK(!chan_send(&meeting.client, json_pack("{s:i}", "n", i), &fault));
	chan_close(&meeting.client);
	for (i = 0; i < 500; i++) {
		CHECK(!chan_receive(&meeting.server, 1000, &message, &fault));
		CHECK(json_integer_value(json_object_get(message, "n")) == i);
		json_decref(message);
	}
	CHECK(chan_receive(&meeting.server, 1000, &message, &fault) == -1 && !message);
	CHECK_HAS(fault.text, "is lost");
	part(&meeting);
}

static void ipv6(void)
{
	struct meeting meeting = { .host = "::1", .client_creds = &none, .server_creds = &none };

	met(&meeting);
	CHECK(!strncmp(meeting.server.peer, "[::1]:", 6));
	CHECK(meeting.server.remote.ss_family == AF_INET6);
	pass(&meeting.client, &meeting.server, 100);
	part(&meeting);
}

/* The daemon's socket is of both families; the kernel module wants the true one. */
static void ipv4_on_ipv6_socket(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0), listener;
	struct chan chan;
	uint16_t port;

	listener = meeting_listen("::", &port);
	if (listener < 0)
		tap_skip("no IPv6");
	addr.sin_port = htons(port);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(!connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	CHECK(!chan_accept(&chan, accept(listener, NULL, NULL), &none, &fault));
	CHECK(!strncmp(chan.peer, "127.0.0.1:", 10));
	CHECK(chan.remote.ss_family == AF_INET && chan.local.ss_family == AF_INET);
	CHECK(((struct sockaddr_in *)&chan.local)->sin_port == addr.sin_port);
	CHECK(((struct sockaddr_in *)&chan.local)->sin_addr.s_addr == addr.sin_addr.s_addr);
	chan_close(&chan);
	close(fd);
	close(listener);
}

static void too_large(void)
{
	struct chan chan;
	int fd = meeting_raw(&chan);
	char byte;

	CHECK(chan_send(&chan, message_of(CHAN_MESSAGE_BYTES + 1), &fault) == -1);
	CHECK_HAS(fault.text, "1048577 bytes");
	CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) == -1);
	chan_close(&chan);
	close(fd);
}

/* jansson makes no object of a text that is not UTF-8. */
static void untold(void)
{
	struct chan chan;
	int fd = meeting_raw(&chan);
	char byte;

	CHECK(chan_send(&chan, json_pack("{s:s}", "error", "\xff"), &fault) == -1);
	CHECK_HAS(fault.text, "UTF-8");
	CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) == -1);
	chan_close(&chan);
	close(fd);
}

static void lengths(void)
{
	static const struct { uint8_t head[4]; long bytes; } known[] = {
		{ { 0, 0, 0, 0 }, -1 }, { { 0, 0, 0, 1 }, 1 }, { { 0, 0, 1, 0 }, 256 },
		{ { 0, 0x10, 0, 0 }, 1 << 20 }, { { 0, 0x10, 0, 1 }, -1 }, { { 1, 0, 0, 0 }, -1 },
		{ { 0x7f, 0xff, 0xff, 0xff }, -1 }, { { 0x80, 0, 0, 0 }, -1 },
		{ { 0xff, 0xff, 0xff, 0xff }, -1 }, { { 0x80, 0, 0, 1 }, -1 },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		CHECK(chan_length(known[i].head) == known[i].bytes);
}

/* What is not a message: refused, and nothing is handed out. */
static void refused_bytes(const char *bytes, size_t count, const char *why)
{
	struct chan chan;
	int fd = meeting_raw(&chan);
	json_t *message = (json_t *)&chan;

	CHECK(send(fd, bytes, count, 0) == (ssize_t)count);
	close(fd);
	CHECK(chan_receive(&chan, 2000, &message, &fault) == -1 && !message);
	CHECK_HAS(fault.text, why);
	CHECK_HAS(fault.text, "127.0.0.1:");
	chan_close(&chan);
}

static void bad_lengths(void)
{
	refused_bytes("\0\0\0\0", 4, "not a vmfastmig message");
	refused_bytes("\0\x10\0\1{}", 6, "not a vmfastmig message");
	refused_bytes("\xff\xff\xff\xff", 4, "not a vmfastmig message");
	refused_bytes("GET / HTTP/1.1\r\n\r\n", 18, "not a vmfastmig message");
	refused_bytes("\x16\3\1\2\0\1", 6, "not a vmfastmig message");
}

static void truncated(void)
{
	refused_bytes("", 0, "is lost");
	refused_bytes("\0", 1, "is lost");
	refused_bytes("\0\0\0", 3, "is lost");
	refused_bytes("\0\0\0\5", 4, "is lost");
	refused_bytes("\0\0\0\5{\"a\"", 8, "is lost");
}

static void refused_text(const char *text, size_t bytes)
{
	char frame[512] = { 0, 0, (char)(bytes >> 8), (char)bytes };

	memcpy(frame + 4, text, bytes);
	refused_bytes(frame, bytes + 4, "not a vmfastmig message");
}

static void garbage(void)
{
	static const char *const bad[] = {
		"x", "{", "}", "[]", "[{}]", "1", "\"text\"", "null", "true", " ", "{}{}", "{} x",
		"{\"a\":1,\"a\":2}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\xff\"}", "{'a':1}", "{\"a\":nan}",
		"{\"a\":1e999}", "{\"a\":\"\\ud800\"}",
	};
	char deep[500];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused_text(bad[i], strlen(bad[i]));
	refused_text("{\0}", 3);
	memset(deep, '[', sizeof(deep));
	refused_text(deep, sizeof(deep));
}

static void silence(void)
{
	struct chan chan;
	int fd = meeting_raw(&chan);
	uint64_t start_ms = clock_ms();
	json_t *message;

	CHECK(chan_receive(&chan, 200, &message, &fault) == -1 && !message);
	CHECK_HAS(fault.text, "does not answer");
	CHECK(clock_ms() - start_ms >= 190 && clock_ms() - start_ms < 2000);
	CHECK(chan_receive(&chan, 0, &message, &fault) == -1 && !message);
	CHECK(send(fd, "\0\0", 2, 0) == 2);
	CHECK(chan_receive(&chan, 200, &message, &fault) == -1 && !message);
	CHECK_HAS(fault.text, "does not answer");
	chan_close(&chan);
	close(fd);
}

/* A message that has begun: not for ever, however long one was ready to wait. */
static void silence_within(void)
{
	struct chan chan;
	int fd = meeting_raw(&chan);
	uint64_t start_ms = clock_ms();
	json_t *message;

	CHECK(send(fd, "\0\0\0\2{", 5, 0) == 5);
	CHECK(chan_receive(&chan, -1, &message, &fault) == -1 && !message);
	CHECK_HAS(fault.text, "does not answer");
	CHECK(clock_ms() - start_ms >= 4900 && clock_ms() - start_ms < 8000);
	chan_close(&chan);
	close(fd);
}

static void *drip(void *arg)
{
	const char frame[] = "\0\0\0\x0c{\"n\": 12345}";
	int fd = (int)(long)arg, i;

	usleep(300000);
	for (i = 0; i < 16; i++) {
		CHECK(send(fd, frame + i, 1, 0) == 1);
		usleep(10000);
	}
	return NULL;
}

static void byte_by_byte(void)
{
	struct chan chan;
	int fd = meeting_raw(&chan);
	pthread_t thread;
	json_t *message;

	CHECK(!pthread_create(&thread, NULL, drip, (void *)(long)fd));
	CHECK(!chan_receive(&chan, -1, &message, &fault));
	pthread_join(thread, NULL);
	CHECK(json_integer_value(json_object_get(message, "n")) == 12345);
	json_decref(message);
	chan_close(&chan);
	close(fd);
}

/* Told by an answer, not by SIGPIPE. */
static void send_to_nobody(void)
{
	struct chan chan;
	int fd = meeting_raw(&chan), tries, err = 0;

	close(fd);
	for (tries = 0; tries < 100 && !err; tries++) {
		err = chan_send(&chan, message_of(100), &fault);
		usleep(1000);
	}
	CHECK(err == -1);
	CHECK_HAS(fault.text, "is lost");
	chan_close(&chan);
}

static void unreachable(void)
{
	char label[80] = "";
	struct chan chan;
	uint16_t port;

	close(meeting_listen("127.0.0.1", &port));
	CHECK(chan_connect(&chan, "127.0.0.1", port, &none, &fault) == -1 && chan.fd == -1);
	CHECK_HAS(fault.text, "cannot reach vmfastmigd at 127.0.0.1 port");
	CHECK_HAS(fault.text, "refused");
	memset(label, 'h', 70);
	CHECK(chan_connect(&chan, label, port, &none, &fault) == -1 && chan.fd == -1);
	CHECK_HAS(fault.text, label);
	chan_close(&chan);
}

/* An address of this machine that is not loopback. */
static const char *own_address(int family)
{
	static char host[NI_MAXHOST];
	struct ifaddrs *list, *at;

	*host = 0;
	if (getifaddrs(&list))
		return NULL;
	for (at = list; at && !*host; at = at->ifa_next) {
		const struct sockaddr_in6 *in6 = (const void *)at->ifa_addr;

		if (!in6 || in6->sin6_family != family || !strncmp(at->ifa_name, "lo", 2) ||
		    (family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr)))
			continue;
		getnameinfo(at->ifa_addr, family == AF_INET ? sizeof(struct sockaddr_in) :
			    sizeof(struct sockaddr_in6), host, sizeof(host), NULL, 0, NI_NUMERICHOST);
	}
	freeifaddrs(list);
	return *host ? host : NULL;
}

static void no_key(int family)
{
	static const struct creds insecure = { .insecure = true };
	struct meeting meeting = { .host = own_address(family), .client_creds = &insecure,
				   .server_creds = &none };

	if (!meeting.host)
		tap_skip("no address but loopback");
	meet(&meeting);
	CHECK(meeting.server_err == -1 && meeting.server.fd == -1);
	CHECK_HAS(meeting.server_fault.text, meeting.host);
	CHECK_HAS(meeting.server_fault.text, "give both daemons --psk-file or --x509-dir");
	part(&meeting);

	meeting.client_creds = &none;
	meeting.server_creds = &insecure;
	meet(&meeting);
	CHECK(meeting.client_err == -1 && meeting.client.fd == -1);
	CHECK_HAS(meeting.client_fault.text, "--psk-file");
	part(&meeting);

	meeting.client_creds = &insecure;
	met(&meeting);
	pass(&meeting.client, &meeting.server, 100);
	part(&meeting);
}

static void no_key_ipv4(void)
{
	no_key(AF_INET);
}

static void no_key_ipv6(void)
{
	no_key(AF_INET6);
}

static void psk(void)
{
	struct meeting meeting = { 0 };
	struct creds creds;

	meeting_psk(&creds, "vm", MEETING_KEY);
	meeting.client_creds = &creds;
	meeting.server_creds = &creds;
	met(&meeting);
	CHECK(gnutls_protocol_get_version(meeting.client.tls) == GNUTLS_TLS1_3);
	CHECK(gnutls_auth_get_type(meeting.server.tls) == GNUTLS_CRD_PSK);
	pass_all(&meeting);
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
	met(&meeting);
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
	met(&meeting);
	CHECK(gnutls_protocol_get_version(meeting.client.tls) == GNUTLS_TLS1_3);
	CHECK(gnutls_certificate_get_peers(meeting.server.tls, NULL) != NULL);
	pass_all(&meeting);
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
	authority_issue(&other, scratch_path("a"), "client", GNUTLS_KP_TLS_WWW_CLIENT,
			time(NULL) + 3600);
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

/* @who has a certificate of @purpose that expires then; the other one refuses it. */
static void x509_refuses(const char *who, const char *purpose, time_t expires, const char *why)
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
	authority_issue(&ca, scratch_path("bad"), who, purpose, expires);
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
	x509_refuses("server", GNUTLS_KP_TLS_WWW_SERVER, time(NULL) - 60, "expired");
	x509_refuses("client", GNUTLS_KP_TLS_WWW_CLIENT, time(NULL) - 60, "expired");
}

/* Who may connect with a certificate may not pass for a host with it. */
static void x509_purpose(void)
{
	x509_refuses("server", GNUTLS_KP_TLS_WWW_CLIENT, time(NULL) + 3600, "certificate of");
	x509_refuses("client", GNUTLS_KP_TLS_WWW_SERVER, time(NULL) + 3600, "certificate of");
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
	met(&meeting);
	gnutls_transport_set_ptr(meeting.client.tls, (void *)(long)meeting.client.fd);
	gnutls_transport_set_push_function(meeting.client.tls, push_short);
	start_ms = clock_ms();
	CHECK(!chan_send(&meeting.client, message_of(100), &fault));
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
	met(&meeting);
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
	met(&meeting);
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
		{ "messages, plain", plain },
		{ "messages stay in order", in_order },
		{ "IPv6", ipv6 },
		{ "IPv4 on an IPv6 socket", ipv4_on_ipv6_socket },
		{ "a message too large to send", too_large },
		{ "a message that cannot be told", untold },
		{ "length fields", lengths },
		{ "bad lengths", bad_lengths },
		{ "truncated messages", truncated },
		{ "garbage", garbage },
		{ "silence", silence },
		{ "silence within a message", silence_within },
		{ "byte by byte", byte_by_byte },
		{ "sending to nobody", send_to_nobody },
		{ "an unreachable daemon", unreachable },
		{ "no key, not loopback, IPv4", no_key_ipv4 },
		{ "no key, not loopback, IPv6", no_key_ipv6 },
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
		{ "certificates instead of the key", mixed },
		{ "a slow handshake", slow_handshake },
		{ "half a TLS record", half_a_record },
		{ "what TLS holds can be read", pending },
		{ "a TLS connection cut off", cut },
	};

	return TAP_RUN(tests);
}

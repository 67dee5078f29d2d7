// SPDX-License-Identifier: GPL-2.0-only
/* Daemons' connections over loopback: messages, what is none, and who needs no key. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chan.h"
#include "clock.h"
#include "meeting.h"
#include "tap.h"

static const struct creds none;
static struct fault fault;

static void plain(void)
{
	struct meeting meeting = { .client_creds = &none, .server_creds = &none };

	meeting_must(&meeting);
	CHECK(!meeting.client.tls && !meeting.server.tls);
	CHECK(!strncmp(meeting.client.peer, "127.0.0.1:", 10));
	CHECK(!strncmp(meeting.server.peer, "127.0.0.1:", 10));
	CHECK(meeting.client.remote.ss_family == AF_INET);
	CHECK(!memcmp(&meeting.client.remote, &meeting.server.local, sizeof(struct sockaddr_in)));
	CHECK(!memcmp(&meeting.client.local, &meeting.server.remote, sizeof(struct sockaddr_in)));
	meeting_pass_all(&meeting);
	part(&meeting);
	part(&meeting);
}

static void in_order(void)
{
	struct meeting meeting = { .client_creds = &none, .server_creds = &none };
	json_t *message;
	int i;

	meeting_must(&meeting);
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

	meeting_must(&meeting);
	CHECK(!strncmp(meeting.server.peer, "[::1]:", 6));
	CHECK(meeting.server.remote.ss_family == AF_INET6);
	meeting_pass(&meeting.client, &meeting.server, 100);
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

	CHECK(chan_send(&chan, meeting_message(CHAN_MESSAGE_BYTES + 1), &fault) == -1);
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
		err = chan_send(&chan, meeting_message(100), &fault);
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
	meeting_must(&meeting);
	meeting_pass(&meeting.client, &meeting.server, 100);
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
	};

	return TAP_RUN(tests);
}

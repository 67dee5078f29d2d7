// SPDX-License-Identifier: GPL-2.0-only
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "meeting.h"
#include "scratch.h"
#include "tap.h"

struct server {
	struct meeting *meeting;
	int listen;
};

static void *serve(void *arg)
{
	struct server *server = arg;
	struct meeting *meeting = server->meeting;
	int fd = accept4(server->listen, NULL, NULL, SOCK_CLOEXEC);

	meeting->server_err = chan_accept(&meeting->server, fd, meeting->server_creds,
					  &meeting->server_fault);
	return NULL;
}

int meeting_listen(const char *host, uint16_t *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *at;
	struct sockaddr_storage bound;
	socklen_t bytes = sizeof(bound);
	int fd, zero = 0;

	if (getaddrinfo(host, "0", &hints, &at))
		abort();
	fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, 26 /* IPV6_V6ONLY */, &zero, sizeof(zero));
	if (fd >= 0 && (bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, 4))) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(at);
	if (fd < 0)
		return -1;
	getsockname(fd, (struct sockaddr *)&bound, &bytes);
	/* The port is at the same place in both families. */
	*port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
	return fd;
}

void meet(struct meeting *meeting)
{
	const char *host = meeting->host ? meeting->host : "127.0.0.1";
	struct server server = { .meeting = meeting };
	pthread_t thread;
	uint16_t port;

	server.listen = meeting_listen(host, &port);
	if (server.listen < 0)
		tap_skip("no such address here");
	if (pthread_create(&thread, NULL, serve, &server))
		abort();
	meeting->client_err = chan_connect(&meeting->client, host, port, meeting->client_creds,
					   &meeting->client_fault);
	pthread_join(thread, NULL);
	close(server.listen);
}

void part(struct meeting *meeting)
{
	chan_close(&meeting->client);
	chan_close(&meeting->server);
}

int meeting_raw(struct chan *chan)
{
	static const struct creds none;
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int listener, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct fault fault;
	uint16_t port;

	listener = meeting_listen("127.0.0.1", &port);
	addr.sin_port = htons(port);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    chan_accept(chan, accept4(listener, NULL, NULL, SOCK_CLOEXEC), &none, &fault))
		abort();
	close(listener);
	return fd;
}

void meeting_psk(struct creds *creds, const char *user, const char *key)
{
	static int count;
	struct fault fault;
	char name[16], line[256];

	snprintf(name, sizeof(name), "psk%d", count++);
	snprintf(line, sizeof(line), "%s:%s\n", user, key);
	memset(creds, 0, sizeof(*creds));
	if (creds_load_psk(creds, scratch_file(name, line, 0600), &fault))
		tap_give_up(fault.text);
}

/* {"x": text of that many bytes}, of @bytes altogether */
json_t *meeting_message(size_t bytes)
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

	CHECK(!chan_send(sending->chan, meeting_message(sending->bytes), &ignored));
	return NULL;
}

void meeting_pass(struct chan *from, struct chan *to, size_t bytes)
{
	struct sending sending = { .chan = from, .bytes = bytes };
	struct fault fault;
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

void meeting_pass_all(struct meeting *meeting)
{
	static const size_t sizes[] = { 8, 100, 16384, 16385, 65536, CHAN_MESSAGE_BYTES };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		meeting_pass(&meeting->client, &meeting->server, sizes[i]);
		meeting_pass(&meeting->server, &meeting->client, sizes[i]);
	}
}

void meeting_must(struct meeting *meeting)
{
	meet(meeting);
	if (meeting->client_err)
		tap_give_up(meeting->client_fault.text);
	if (meeting->server_err)
		tap_give_up(meeting->server_fault.text);
}

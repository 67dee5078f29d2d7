// SPDX-License-Identifier: GPL-2.0-only
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "downtime/probe.h"
#include "respondent.h"
#include "tap.h"

static struct sockaddr_storage address_of(const char *host, uint16_t port, socklen_t *bytes)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *at;
	struct sockaddr_storage addr = { 0 };
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &at))
		tap_give_up("getaddrinfo");
	memcpy(&addr, at->ai_addr, at->ai_addrlen);
	*bytes = at->ai_addrlen;
	freeaddrinfo(at);
	return addr;
}

static int listen_at(const char *host, uint16_t *port, int type)
{
	socklen_t bytes;
	struct sockaddr_storage addr = address_of(host, *port, &bytes);
	int on = 1, little = 4096, large = 4 << 20;
	int fd = socket(addr.ss_family, type | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	else
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large));
	if (fd < 0 || bind(fd, (void *)&addr, bytes) || (type == SOCK_STREAM && listen(fd, 4))) {
		close(fd);
		return -1;
	}
	getsockname(fd, (void *)&addr, &bytes);
	*port = ntohs(((struct sockaddr_in *)&addr)->sin_port);	/* at the same place in both */
	return fd;
}

uint16_t respondent_port(const struct respondent *guest)
{
	return atoi(strrchr(guest->target, ':') + 1);
}

/* The same port for both. */
static void come(struct respondent *guest, uint16_t port)
{
	uint16_t wanted = port;
	int tries;

	for (tries = 0; tries < 100; tries++, port = wanted) {
		guest->udp = listen_at(guest->host, &port, SOCK_DGRAM);
		guest->listener = guest->udp < 0 ? -1 : listen_at(guest->host, &port, SOCK_STREAM);
		if (guest->listener >= 0)
			break;
		if (guest->udp < 0 && !wanted)
			tap_skip("no such address here");
		close(guest->udp);
		usleep(10000);
	}
	if (!wanted)
		snprintf(guest->target, sizeof(guest->target),
			 strchr(guest->host, ':') ? "[%s]:%u" : "%s:%u", guest->host, port);
}

static void forsake_client(struct respondent *guest)
{
	static const struct linger at_once = { 1, 0 };

	if (guest->client >= 0 && guest->politely) {
		shutdown(guest->client, SHUT_WR);
		guest->parted = guest->client;
	} else if (guest->client >= 0) {
		setsockopt(guest->client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(guest->client);
	}
	guest->client = -1;
}

static void go(struct respondent *guest)
{
	close(guest->listener);		/* first: the client may be back at once */
	forsake_client(guest);
	close(guest->udp);
}

/* A way to answer: over UDP to @peer, else to the client, in two pieces. */
static void put(struct respondent *guest, const struct sockaddr_storage *peer, const char *line)
{
	size_t bytes = strlen(line), half = bytes / 2;

	if (peer) {
		sendto(guest->udp, line, bytes, 0, (const void *)peer, sizeof(*peer));
		return;
	}
	send(guest->client, line, half, MSG_NOSIGNAL);
	send(guest->client, line + half, bytes - half, MSG_NOSIGNAL);
}

static void put_junk(struct respondent *guest, const struct sockaddr_storage *peer)
{
	static const char *const junk[] = { "", "\n", "echo\n", "echo 1\n", "echo 1 2\n",
		"echo 1 2 x\n", "echo 1 2 3x\n", "echo  1 2 3\n", "echo -1 2 3\n", "{}\n",
		"echo 99999999 2 3 4 5 6\n", "echo 1 99999999999999999999999 3 4 5 6\n" };
	static char longest[600];
	size_t i;

	for (i = !peer; i < sizeof(junk) / sizeof(*junk); i++)
		put(guest, peer, junk[i]);
	memset(longest, ' ', sizeof(longest) - 2);
	memcpy(longest, "echo 1 2 3 4", 12);
	longest[sizeof(longest) - 2] = '\n';
	put(guest, peer, longest);
}

static bool every(unsigned int n, uint64_t seq)
{
	return n && seq < TRICKS && seq % n == n - 1;
}

static void stand_still(struct respondent *guest, uint64_t seq)
{
	guest->paused_ns = clock_ns();
	if (seq == guest->leave_at)
		go(guest);
	usleep(PAUSE_MS * 1000);
	if (seq == guest->leave_at)
		come(guest, respondent_port(guest));
	guest->resumed_ns = clock_ns();
}

static void serve_echo(struct respondent *guest, const struct sockaddr_storage *peer, uint64_t seq)
{
	char line[128];

	atomic_store(&guest->heard, seq + 1);
	if (seq && (seq == guest->pause_at || seq == guest->leave_at))
		stand_still(guest, seq);
	if ((seq && seq == guest->leave_at) || every(guest->lose_every, seq) || seq >= SEQS)
		return;
	snprintf(line, sizeof(line), guest->brief ? "echo %llu %llu 7\n" :
		 "echo %llu %llu 7 %llu 5 6\n", (unsigned long long)seq,
		 (unsigned long long)clock_ns() / 1000, (unsigned long long)seq * 10);
	if (every(guest->junk_every, seq))
		put_junk(guest, peer);
	guest->replies[seq]++;
	if (every(guest->swap_every, seq)) {	/* after the next */
		strcpy(guest->held, line);
		return;
	}
	put(guest, peer, line);
	if (every(guest->twice_every, seq))
		put(guest, peer, line);
	if (*guest->held)
		put(guest, peer, guest->held);
	*guest->held = 0;
}

static void serve_line(struct respondent *guest, const struct sockaddr_storage *peer, const char *line)
{
	unsigned long long seq;
	int end = 0;

	if (sscanf(line, "echo %llu%n", &seq, &end) == 1 && !line[end]) {
		if (!peer && end != PROBE_RECORD_BYTES - 1)
			atomic_fetch_add(&guest->malformed, 1);
		serve_echo(guest, peer, seq);
	} else if (peer && (!strcmp(line, "status") || !strcmp(line, "reset"))) {
		if (atomic_fetch_add(&guest->questions, 1) >= guest->deaf && guest->status)
			put(guest, peer, guest->status);
	} else {
		atomic_fetch_add(&guest->malformed, 1);
	}
}

static void serve_udp(struct respondent *guest)
{
	struct sockaddr_storage peer;
	socklen_t bytes = sizeof(peer);
	char line[256];
	ssize_t n = recvfrom(guest->udp, line, sizeof(line) - 1, MSG_DONTWAIT, (void *)&peer, &bytes);

	if (n < 0)
		return;
	line[n] = 0;
	serve_line(guest, &peer, line);
}

static void serve_client(struct respondent *guest)
{
	size_t room = sizeof(guest->in) - guest->used;
	ssize_t n = recv(guest->client, guest->in + guest->used, room, 0);
	char *line = guest->in, *end;

	if (n <= 0) {
		close(guest->client);
		guest->client = -1;
		return;
	}
	guest->used += n;
	while (guest->client >= 0 &&
	       (end = memchr(line, '\n', guest->in + guest->used - line))) {
		*end = 0;
		serve_line(guest, NULL, line);
		line = end + 1;
	}
	guest->used = guest->client < 0 ? 0 : guest->in + guest->used - line;
	memmove(guest->in, line, guest->used);
}

static void *serve(void *arg)
{
	struct respondent *guest = arg;
	int on = 1;

	while (!guest->stop) {
		struct pollfd polled[] = { { guest->udp, POLLIN, 0 }, { guest->client, POLLIN, 0 },
					   { guest->listener, POLLIN, 0 } };

		if (guest->forsake) {
			forsake_client(guest);
			guest->forsake = false;
		}
		if (guest->hold)
			usleep(1000);
		else if (poll(polled, 3, 20) > 0) {
			if (polled[0].revents)
				serve_udp(guest);
			else if (polled[1].revents)
				serve_client(guest);
			else if (guest->client < 0) {
				guest->client = accept4(guest->listener, NULL, NULL, SOCK_CLOEXEC);
				guest->used = 0;
				setsockopt(guest->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
				if (guest->banner)
					put(guest, NULL, guest->banner);
			}
		}
	}
	go(guest);
	return NULL;
}

void respondent_up(struct respondent *guest, const char *host)
{
	guest->host = host;
	come(guest, 0);
	if (guest->listener < 0 || pthread_create(&guest->thread, NULL, serve, guest))
		tap_give_up("no guest");
}

void respondent_down(struct respondent *guest)
{
	guest->stop = true;
	pthread_join(guest->thread, NULL);
	if (guest->parted)
		close(guest->parted);
}

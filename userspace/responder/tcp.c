// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"
#include "port.h"
#include "tcp.h"
#include "thread.h"

#define TCP_PRIORITY	10
#define RETRY_MS	100

static struct tcp {
	const struct answers *answers;
	int listener;
	bool starved;		/* no room for one more: tried again later */
	unsigned int count;
	struct connection *clients[TCP_CLIENTS];
	char refusal[ANSWER_BYTES];
} tcp;

static void turn_away(struct tcp *t, int fd)
{
	size_t bytes = answer_error("too many connections", t->refusal);

	send(fd, t->refusal, bytes, MSG_NOSIGNAL);
	close(fd);
}

static void take_client(struct tcp *t)
{
	int fd = accept4(t->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *c;

	t->starved = fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
				errno == ENOMEM);
	if (fd < 0)
		return;
	if (t->count == TCP_CLIENTS) {
		turn_away(t, fd);
		return;
	}
	c = connection_open(fd);
	if (c)
		t->clients[t->count++] = c;
}

static void drop_client(struct tcp *t, unsigned int i)
{
	connection_close(t->clients[i]);
	t->clients[i] = t->clients[--t->count];
}

/* Returns how long to wait, in ms; -1: for as long as it takes. */
static int fill(const struct tcp *t, struct pollfd *polled)
{
	int wait_ms = t->starved ? RETRY_MS : -1;
	unsigned int i;

	for (i = 0; i < t->count; i++) {
		polled[i] = (struct pollfd){ t->clients[i]->fd, connection_events(t->clients[i]),
					     0 };
		if (connection_busy(t->clients[i]))
			wait_ms = 0;
	}
	polled[i] = (struct pollfd){ t->listener, t->starved ? 0 : POLLIN, 0 };
	return wait_ms;
}

/* From the last on: one that is dropped is replaced by one that had its turn. */
static void serve(struct tcp *t)
{
	struct pollfd polled[TCP_CLIENTS + 1];
	unsigned int i, count = t->count;

	if (poll(polled, count + 1, fill(t, polled)) < 0)
		return;
	for (i = count; i-- > 0;)
		if ((polled[i].revents || connection_busy(t->clients[i])) &&
		    connection_serve(t->clients[i], t->answers, polled[i].revents))
			drop_client(t, i);
	if (polled[count].revents || t->starved)
		take_client(t);
}

static void *run(void *arg)
{
	for (;;)
		serve(arg);
	return NULL;
}

/* What a client does not read waits in the kernel: not too much of it. */
static void limit_buffers(int listener)
{
	int send_bytes = 64 << 10, receive_bytes = 16 << 10;

	setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
}

int tcp_start(const struct answers *answers, unsigned int port, struct fault *fault)
{
	int listener = port_open(SOCK_STREAM, port, fault);

	if (listener < 0)
		return -1;
	limit_buffers(listener);
	if (listen(listener, SOMAXCONN)) {
		fail(fault, "cannot listen on TCP port %u: %s", port, strerror(errno));
		close(listener);
		return -1;
	}
	tcp.answers = answers;
	tcp.listener = listener;
	return thread_start(run, &tcp, TCP_PRIORITY, THREAD_ANY_CPU, fault);
}

// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"

/* Answers go at once; peers that are gone without a word are noticed. */
static void tune(int fd)
{
	int on = 1, idle_s = 60, every_s = 10, times = 6;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
}

struct connection *connection_open(int fd)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return NULL;
	}
	tune(fd);
	c->fd = fd;
	return c;
}

void connection_close(struct connection *c)
{
	close(c->fd);
	free(c);
}

short connection_events(const struct connection *c)
{
	if (c->filled)
		return POLLOUT;
	return c->ended ? 0 : POLLIN;
}

bool connection_busy(const struct connection *c)
{
	return !c->filled && intake_ready(&c->intake);
}

static bool may_go_on(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static int send_rest(struct connection *c)
{
	ssize_t n;

	while (c->sent < c->filled) {
		n = send(c->fd, c->out + c->sent, c->filled - c->sent, MSG_NOSIGNAL);
		if (n < 0)
			return may_go_on() ? 0 : -1;
		c->sent += n;
	}
	c->sent = c->filled = 0;
	return 0;
}

static int read_some(struct connection *c)
{
	size_t room;
	char *to = intake_room(&c->intake, &room);
	ssize_t n = recv(c->fd, to, room, 0);

	if (n < 0)
		return may_go_on() ? 0 : -1;
	if (!n)
		c->ended = true;
	intake_filled(&c->intake, n);
	return 0;
}

static void answer_line(struct connection *c, const struct answers *answers)
{
	char line[LINE_BYTES];
	size_t bytes;

	switch (intake_next(&c->intake, line, &bytes)) {
	case LINE_WHOLE:
		c->filled = answer(answers, line, bytes, c->out);
		break;
	case LINE_TOO_LONG:
		c->filled = answer_error("the line is too long", c->out);
		break;
	case LINE_NONE:
		break;
	}
}

/* A line that the peer did not finish is not obeyed: its end may be missing. */
int connection_serve(struct connection *c, const struct answers *answers, short events)
{
	if (send_rest(c))
		return -1;
	if (c->filled)
		return 0;
	if ((events & ~POLLOUT) && !c->ended && !intake_ready(&c->intake) && read_some(c))
		return -1;
	answer_line(c, answers);
	if (send_rest(c))
		return -1;
	return c->ended && !c->filled && !intake_ready(&c->intake) ? -1 : 0;
}

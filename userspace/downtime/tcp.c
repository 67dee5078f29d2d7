// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records over a connection. A reset is the guest's, the network's or ours to survive:
 * it is counted, and connected anew. A connection that is merely silent is kept, as any
 * client of the guest would: what it queued is answered late, and TCP repeats by itself.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../clock.h"
#include "probe.h"

#define CONNECT_MS	1000
#define BACKOFF_MS	20
#define BACKOFF_MAX_MS	500
#define SEND_BYTES	(64 << 10)	/* a few thousand records: more is no news */
#define AT_ONCE		16		/* reads before it is looked whether a record is due */

static const char record[] = "echo %020llu\n";
_Static_assert(sizeof("echo ") - 1 + 20 + 1 == PROBE_RECORD_BYTES, "a record's length");

static bool may_go_on(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static void close_probe(struct probe *probe)
{
	close(probe->fd);
	probe->fd = -1;
	probe->events = 0;
	probe->stream.up = false;
	probe->stream.held = probe->stream.left = 0;
	probe->stream.dropping = false;
}

static void back_off(struct probe_stream *stream)
{
	stream->retry_ns = clock_ns() + stream->backoff_ms * 1000000ULL;
	stream->backoff_ms *= 2;
	if (stream->backoff_ms > BACKOFF_MAX_MS)
		stream->backoff_ms = BACKOFF_MAX_MS;
}

static void drop(struct probe *probe)
{
	close_probe(probe);
	back_off(&probe->stream);
}

static void connect_again(struct probe *probe)
{
	probe->fd = probe_socket(&probe->target, probe->which, SOCK_STREAM);
	if (probe->fd < 0) {
		back_off(&probe->stream);
		return;
	}
	probe->events = POLLOUT;
	probe->stream.retry_ns = clock_ns() + CONNECT_MS * 1000000ULL;
}

static int socket_error(int fd)
{
	socklen_t bytes = sizeof(int);
	int err = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &bytes) ? errno : err;
}

static void set_up(struct probe *probe)
{
	int on = 1, bytes = SEND_BYTES;

	setsockopt(probe->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(probe->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	probe->stream.up = true;
	probe->events = POLLIN;
}

/* What is left of a record. */
static void send_left(struct probe *probe)
{
	struct probe_stream *stream = &probe->stream;
	ssize_t n = send(probe->fd, stream->out + PROBE_RECORD_BYTES - stream->left, stream->left,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && !may_go_on()) {
		drop(probe);
		return;
	}
	stream->left -= n > 0 ? n : 0;
	probe->events = stream->left ? POLLIN | POLLOUT : POLLIN;
}

/* One that meets a full buffer waits for room; those that are due meanwhile are not sent. */
static void send_record(struct probe *probe, uint64_t seq)
{
	struct probe_stream *stream = &probe->stream;

	if (stream->left)
		send_left(probe);
	if (!stream->up || stream->left)
		return;
	snprintf(stream->out, sizeof(stream->out), record, (unsigned long long)seq);
	stream->left = PROBE_RECORD_BYTES;
	send_left(probe);
}

static void ask(struct probe *probe, uint64_t seq)
{
	bool late = clock_ns() >= probe->stream.retry_ns;

	if (probe->stream.up)
		send_record(probe, seq);
	else if (probe->fd < 0 && late)
		connect_again(probe);
	else if (probe->fd >= 0 && late)
		drop(probe);
}

static void take_line(struct probe *probe, uint64_t now_ns)
{
	struct probe_stream *stream = &probe->stream;

	stream->in[stream->held] = 0;
	if (stream->dropping)
		probe->garbage++;
	else if (probe_take(probe, stream->in, stream->held, now_ns))
		stream->backoff_ms = BACKOFF_MS;	/* it works: whoever accepts only does not */
	stream->dropping = false;
	stream->held = 0;
}

static void take_bytes(struct probe *probe, const char *bytes, size_t count, uint64_t now_ns)
{
	struct probe_stream *stream = &probe->stream;
	size_t i;

	for (i = 0; i < count; i++) {
		if (bytes[i] == '\n')
			take_line(probe, now_ns);
		else if (stream->held < sizeof(stream->in) - 1)
			stream->in[stream->held++] = bytes[i];
		else
			stream->dropping = true;
	}
}

static void serve_input(struct probe *probe)
{
	char bytes[4096];
	ssize_t n = 1;
	int times;

	for (times = 0; times < AT_ONCE && n > 0; times++) {
		n = recv(probe->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n > 0)
			take_bytes(probe, bytes, n, clock_ns());
	}
	if (!n || (n < 0 && !may_go_on()))
		drop(probe);
}

static void serve(struct probe *probe, short events)
{
	if (!probe->stream.up) {
		if (socket_error(probe->fd)) {
			drop(probe);
			return;
		}
		set_up(probe);
		probe->reconnects++;
		return;
	}
	if ((events & POLLOUT) && probe->stream.left)
		send_left(probe);
	if (probe->fd >= 0 && (events & ~POLLOUT))
		serve_input(probe);
}

static bool wait_for(int fd, short events, uint64_t until_ms)
{
	struct pollfd polled = { .fd = fd, .events = events };
	uint64_t now_ms;

	while ((now_ms = clock_ms()) < until_ms)
		if (poll(&polled, 1, (int)(until_ms - now_ms)) > 0)
			return true;
	return false;
}

/* A line that ended, or what there is of one. */
static size_t read_line(int fd, char line[PROBE_LINE_BYTES], uint64_t until_ms)
{
	size_t held = 0;

	while (held < PROBE_LINE_BYTES - 1 && wait_for(fd, POLLIN, until_ms)) {
		if (recv(fd, line + held, 1, MSG_DONTWAIT) <= 0 || line[held] == '\n')
			break;
		held++;
	}
	line[held] = 0;
	return held;
}

/* Whether a responder is behind it; if not, why. */
static bool greet(int fd, uint64_t until_ms, char why[PROBE_LINE_BYTES + 64])
{
	char line[PROBE_LINE_BYTES];
	struct sample reply;
	uint64_t seq;
	size_t bytes;
	int err;

	strcpy(why, "no reply");
	if (!wait_for(fd, POLLOUT, until_ms))
		return false;
	err = socket_error(fd);
	snprintf(line, sizeof(line), record, 0ULL);
	if (err || send(fd, line, PROBE_RECORD_BYTES, MSG_NOSIGNAL) != PROBE_RECORD_BYTES) {
		strcpy(why, strerror(err ? err : errno));
		return false;
	}
	bytes = read_line(fd, line, until_ms);
	if (probe_parse(line, bytes, &seq, &reply))
		return true;
	if (bytes)
		snprintf(why, PROBE_LINE_BYTES + 64, "it says \"%s\", as no vmfastmig-responder does",
			 line);
	return false;
}

static int open_probe(struct probe *probe, struct fault *fault)
{
	char why[PROBE_LINE_BYTES + 64];
	unsigned int i;
	int fd;

	for (i = 0; i < probe->target.count; i++) {
		fd = probe_socket(&probe->target, i, SOCK_STREAM);
		if (fd < 0) {
			strcpy(why, strerror(errno));
			continue;
		}
		if (greet(fd, clock_ms() + PROBE_CHECK_MS / probe->target.count, why)) {
			probe->which = i;
			probe->fd = fd;
			probe->stream.backoff_ms = BACKOFF_MS;
			set_up(probe);
			return 0;
		}
		close(fd);
	}
	return probe_unanswered(&probe->target, SOCK_STREAM, why, fault);
}

const struct probe_way probe_tcp = { SOCK_STREAM, open_probe, close_probe, ask, serve };

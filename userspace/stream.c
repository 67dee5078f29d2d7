// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "stream.h"

#define PIECE_BYTES 65536

static int write_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);

		if (sent <= 0)
			return -1;
		data += sent;
		bytes -= sent;
	}
	return 0;
}

static int flush_held(struct stream *stream)
{
	size_t bytes = stream->held_bytes;

	stream->held_bytes = 0;
	return bytes ? chan_write(stream->chan, stream->held, bytes) : 0;
}

static bool is_full(const struct stream *stream)
{
	return stream->held_bytes + PIECE_BYTES > STREAM_HELD_BYTES;
}

/* Source, QEMU to the peer: see the gate in stream.h. */
static int forward_gated(struct stream *stream, const char *data, size_t bytes)
{
	bool open = atomic_load(&stream->gate_open), shut = atomic_load(&stream->gate_shut);
	size_t now = open ? bytes : shut ? 0 : bytes - 1;

	if ((open || !shut) && (flush_held(stream) || chan_write(stream->chan, data, now)))
		return -1;
	memcpy(stream->held + stream->held_bytes, data + now, bytes - now);
	stream->held_bytes += bytes - now;
	return 0;
}

static int release_held(struct stream *stream)
{
	return atomic_load(&stream->gate_open) ? flush_held(stream) : 0;
}

static void note_forward(struct stream *stream, size_t bytes)
{
	atomic_fetch_add(&stream->forward_bytes, bytes);
	atomic_store(&stream->forward_ns, clock_ns());
}

static int from_qemu(struct stream *stream)
{
	char data[PIECE_BYTES];
	ssize_t got = read(stream->qemu, data, sizeof(data));

	if (got <= 0) {
		atomic_store(&stream->qemu_closed, true);
		return -1;
	}
	if (!stream->source)
		return chan_write(stream->chan, data, got);
	note_forward(stream, got);
	return forward_gated(stream, data, got);
}

static int release_return(struct stream *stream)
{
	size_t bytes = stream->back_bytes;

	if (!bytes || !atomic_load(&stream->return_open))
		return 0;
	stream->back_bytes = 0;
	return write_all(stream->qemu, stream->back, bytes);
}

static int from_peer(struct stream *stream)
{
	char data[PIECE_BYTES];
	long got = chan_read(stream->chan, data, sizeof(data));

	if (got <= 0)
		return -1;
	if (!stream->source) {
		note_forward(stream, got);
		return write_all(stream->qemu, data, got);
	}
	if (stream->back_bytes + got > sizeof(stream->back))
		return -1;	/* a return path says a few bytes a section; this is none */
	memcpy(stream->back + stream->back_bytes, data, got);
	stream->back_bytes += got;
	return release_return(stream);
}

/*
 * The end of a side. A QEMU closes its stream when it is done, or gave up, and
 * the job learns that from its monitor. A peer's end is told to QEMU, which
 * fails at once if it was not done: it would wait for its time-outs else.
 */
static void side_ended(struct stream *stream, int *side)
{
	*side = -1;
	shutdown(stream->qemu, SHUT_RDWR);
}

static void *pump(void *arg)
{
	struct stream *stream = arg;
	int qemu = stream->qemu, peer = stream->chan->fd;
	uint64_t count;

	while (!atomic_load(&stream->stop)) {
		bool pending = peer >= 0 && chan_readable(stream->chan, 0);
		struct pollfd fds[3] = {
			{ .fd = is_full(stream) ? -1 : qemu, .events = POLLIN },
			{ .fd = peer, .events = POLLIN },
			{ .fd = stream->wake, .events = POLLIN },
		};

		if (poll(fds, 3, pending ? 0 : -1) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		if ((fds[2].revents & POLLIN) && read(stream->wake, &count, sizeof(count)) < 0)
			break;
		if (release_held(stream) || release_return(stream))
			break;
		if (fds[0].revents && from_qemu(stream))
			side_ended(stream, &qemu);
		if ((pending || fds[1].revents) && from_peer(stream))
			side_ended(stream, &peer);
	}
	return NULL;
}

int stream_start(struct stream *stream, int qemu, struct chan *chan, bool source,
		 struct fault *fault)
{
	stream->qemu = qemu;
	stream->chan = chan;
	stream->source = source;
	stream->wake = eventfd(0, EFD_CLOEXEC);
	stream->held = source ? malloc(STREAM_HELD_BYTES) : NULL;
	stream->running = stream->wake >= 0 && (stream->held || !source) &&
			  !pthread_create(&stream->thread, NULL, pump, stream);
	if (stream->running)
		return 0;
	if (stream->wake >= 0)
		close(stream->wake);
	free(stream->held);
	close(qemu);
	return fail(fault, "no thread or no memory for QEMU's stream");
}

int stream_give(struct stream *stream, struct qmp *qmp, struct chan *chan, bool source,
		struct fault *fault)
{
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return fail(fault, "no socket pair: %s", strerror(errno));
	err = qmp_give_fd(qmp, strchr(STREAM_URI, ':') + 1, pair[1], fault);
	close(pair[1]);
	if (err)
		close(pair[0]);
	return err ? err : stream_start(stream, pair[0], chan, source, fault);
}

static void wake(struct stream *stream)
{
	uint64_t one = 1;

	if (stream->running && write(stream->wake, &one, sizeof(one)) < 0)
		return;	/* it cannot overflow */
}

void stream_shut_gate(struct stream *stream)
{
	atomic_store(&stream->gate_shut, true);
}

void stream_open_gate(struct stream *stream)
{
	atomic_store(&stream->gate_open, true);
	wake(stream);
}

void stream_open_return(struct stream *stream)
{
	atomic_store(&stream->return_open, true);
	wake(stream);
}

void stream_stop(struct stream *stream)
{
	if (!stream->running)
		return;
	atomic_store(&stream->stop, true);
	shutdown(stream->qemu, SHUT_RDWR);	/* and ends a read or write it is in */
	shutdown(stream->chan->fd, SHUT_RDWR);
	wake(stream);
	pthread_join(stream->thread, NULL);
	stream->running = false;
	close(stream->wake);
	close(stream->qemu);
	free(stream->held);
	stream->qemu = -1;
}

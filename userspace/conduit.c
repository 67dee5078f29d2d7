// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conduit.h"

#define FAST_PIPE_BYTES (1 << 20)

static void close_pipes(struct conduit *conduit)
{
	if (conduit->pipes.in >= 0)
		close(conduit->pipes.in);
	if (conduit->pipes.out >= 0)
		close(conduit->pipes.out);
	conduit->pipes = (struct pipes){ -1, -1 };
}

/* @fault is told before the job hears of it. */
static int give_up(struct conduit *conduit, const struct fault *fault)
{
	conduit->why = *fault;
	atomic_store(&conduit->failed, true);
	job_cancel(conduit->job);
	return -1;
}

static int write_whole(int fd, const uint8_t *data, size_t bytes)
{
	while (bytes) {
		ssize_t put = write(fd, data, bytes);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return -1;
		data += put;
		bytes -= put;
	}
	return 0;
}

static bool is_held(struct conduit *conduit)
{
	return conduit->filter.at > (enum ramfilter_mark)atomic_load(&conduit->passes);
}

/*
 * What was read, up to its end or a mark. From the first page on the pipe is a large
 * one, and not before: what is in it QEMU takes for sent.
 */
static int filter_piece(struct conduit *conduit)
{
	enum ramfilter_mark passes = (enum ramfilter_mark)atomic_load(&conduit->passes);
	struct fault fault;
	size_t bytes;
	long took;

	if (conduit->filter.passes != passes && passes == RAMFILTER_PAGES)
		fcntl(conduit->pipes.in, F_SETPIPE_SZ, FAST_PIPE_BYTES);
	conduit->filter.passes = passes;
	took = ramfilter_run(&conduit->filter, conduit->piece + conduit->piece_at,
			     conduit->piece_bytes - conduit->piece_at, conduit->filtered, &bytes,
			     &fault);
	if (took < 0)
		return give_up(conduit, &fault);
	conduit->piece_at += took;
	/* First what came before the mark. */
	if (write_whole(conduit->stream, conduit->filtered, bytes))
		return -1;
	atomic_store(&conduit->at, conduit->filter.at);
	return 0;
}

static int ended_early(struct conduit *conduit)
{
	struct fault fault;

	fail(&fault, "QEMU closed its stream before it was whole: its migration failed or was cancelled");
	return give_up(conduit, &fault);
}

static int from_qemu(struct conduit *conduit)
{
	ssize_t got = read(conduit->pipes.in, conduit->piece, sizeof(conduit->piece));

	if (got < 0 && errno == EINTR)
		return 0;
	if (got > 0) {
		conduit->piece_at = 0;
		conduit->piece_bytes = got;
		return 0;
	}
	if (!conduit->filter.open)
		return ended_early(conduit);
	close(conduit->pipes.in);
	conduit->pipes.in = -1;
	atomic_store(&conduit->ended, true);
	shutdown(conduit->stream, SHUT_WR);
	return 0;
}

/* The return path. A QEMU that reads it no more is known by other things. */
static int from_stream(struct conduit *conduit)
{
	uint8_t data[4096];
	ssize_t got = read(conduit->stream, data, sizeof(data));

	if (got <= 0)
		return -1;
	if (conduit->pipes.out >= 0 && write_whole(conduit->pipes.out, data, got)) {
		close(conduit->pipes.out);
		conduit->pipes.out = -1;
	}
	return 0;
}

/*
 * A stream that is held is looked at for its end alone. At the last mark that end is
 * a good one: QEMU has written all there is.
 */
static int wait_and_move(struct conduit *conduit)
{
	bool held = is_held(conduit), last = conduit->filter.at == RAMFILTER_STOPPED;
	struct pollfd fds[3] = {
		{ .fd = held && last ? -1 : conduit->pipes.in, .events = held ? 0 : POLLIN },
		{ .fd = conduit->stream, .events = POLLIN },
		{ .fd = conduit->wake, .events = POLLIN },
	};
	uint64_t count;

	if (poll(fds, 3, -1) < 0)
		return errno == EINTR ? 0 : -1;
	if (fds[2].revents && read(conduit->wake, &count, sizeof(count)) < 0)
		return -1;
	if (fds[1].revents && from_stream(conduit))
		return -1;
	if (!fds[0].revents)
		return 0;
	return held ? ended_early(conduit) : from_qemu(conduit);
}

/* The end of a return path, with an error. */
static void refuse(struct conduit *conduit)
{
	static const uint8_t shut[] = { 0, 1, 0, 4, 0, 0, 0, 1 };

	if (atomic_load(&conduit->refuses) && conduit->pipes.out >= 0 &&
	    write(conduit->pipes.out, shut, sizeof(shut)) < 0)
		return;		/* it is closed */
}

void conduit_tell_child(struct conduit *conduit, json_t *result)
{
	if (atomic_flag_test_and_set(&conduit->told))
		json_decref(result);
	else
		job_set(conduit->job, "child", result);
}

static void *run(void *arg)
{
	struct conduit *conduit = arg;
	int err = 0;

	while (!err && !atomic_load(&conduit->stop)) {
		if (!is_held(conduit) && conduit->piece_at < conduit->piece_bytes)
			err = filter_piece(conduit);
		else
			err = wait_and_move(conduit);
	}
	refuse(conduit);
	if (!conduit->filter.open)
		conduit_tell_child(conduit, json_pack("{s:b,s:s}", "completed", 0, "error",
						      atomic_load(&conduit->failed) ?
						      conduit->why.text :
						      "the destination ended the migration"));
	close_pipes(conduit);
	shutdown(conduit->stream, SHUT_RDWR);
	return NULL;
}

int conduit_start(struct conduit *conduit, int *stream, struct fault *fault)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return fail(fault, "no socket pair: %s", strerror(errno));
	conduit->stream = pair[0];
	*stream = pair[1];
	conduit->wake = eventfd(0, EFD_CLOEXEC);
	conduit->running = conduit->wake >= 0 &&
			   !pthread_create(&conduit->thread, NULL, run, conduit);
	if (conduit->running)
		return 0;
	if (conduit->wake >= 0)
		close(conduit->wake);
	close(pair[0]);
	close(pair[1]);
	return fail(fault, "cannot start a thread for QEMU's pipes");
}

void conduit_pass(struct conduit *conduit, enum ramfilter_mark mark)
{
	atomic_store(&conduit->passes, mark);
	eventfd_write(conduit->wake, 1);
}

void conduit_stop(struct conduit *conduit)
{
	if (!conduit->running) {
		refuse(conduit);
		close_pipes(conduit);
		return;
	}
	atomic_store(&conduit->stop, true);
	shutdown(conduit->stream, SHUT_RDWR);	/* and ends a write it is in */
	eventfd_write(conduit->wake, 1);
	pthread_join(conduit->thread, NULL);
	conduit->running = false;
	close(conduit->wake);
	close(conduit->stream);
}

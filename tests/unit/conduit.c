// SPDX-License-Identifier: GPL-2.0-only
/* Between QEMU's pipes and its stream: what is held, what passes, how it ends. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "conduit.h"
#include "tap.h"

#define QUIET_MS	150	/* what has not come by then was held back */
#define COME_MS		10000	/* what is to come may be slow */

struct play {
	struct conduit conduit;
	struct job *job;
	int in, out;		/* QEMU's ends: it writes the one, reads the other */
	int stream;
	uint8_t told[4096], came[4096];
	size_t told_bytes, came_bytes;
};

static struct play play;

static void begin_with(int in[2], int out[2])
{
	struct fault fault;

	signal(SIGPIPE, SIG_IGN);	/* as the daemon has it */
	memset(&play, 0, sizeof(play));
	play.job = job_new(JOB_SOURCE, "/qmp", &fault);
	job_phase(play.job, "played");	/* a state that is not waited for */
	ramfilter_init(&play.conduit.filter);
	if (ramfilter_leave_out(&play.conduit.filter, "ram0", 65536, &fault))
		tap_give_up(fault.text);
	play.in = in[1];
	play.out = out[0];
	play.conduit.pipes = (struct pipes){ in[0], out[1] };
	play.conduit.job = play.job;
	if (conduit_start(&play.conduit, &play.stream, &fault))
		tap_give_up(fault.text);
}

static void begin(void)
{
	int in[2], out[2];

	if (pipe(in) || pipe(out))
		tap_give_up("no pipes");
	begin_with(in, out);
}

/* One connection both ways, as libvirt has it. */
static void begin_connected(void)
{
	int in[2], out[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, in))
		tap_give_up("no socket pair");
	out[0] = dup(in[1]);
	out[1] = dup(in[0]);
	begin_with(in, out);
}

static void end(void)
{
	conduit_stop(&play.conduit);
	close(play.in);
	close(play.out);
	close(play.stream);
	job_end(play.job, NULL);
	job_put(play.job);
}

static void record(const char *name)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "corpus/ramfilter/%s", name);
	file = fopen(path, "re");
	if (!file)
		tap_give_up(path);
	play.told_bytes = fread(play.told, 1, sizeof(play.told), file);
	fclose(file);
	if (write(play.in, play.told, play.told_bytes) != (ssize_t)play.told_bytes)
		tap_give_up("cannot write");
}

static bool comes_to(enum ramfilter_mark mark)
{
	uint64_t deadline_ms = clock_ms() + COME_MS;

	while (conduit_at(&play.conduit) < mark && clock_ms() < deadline_ms)
		usleep(1000);
	return conduit_at(&play.conduit) == mark;
}

/* All that comes until it is quiet, or ends (false). */
static bool take(void)
{
	struct pollfd wait = { .fd = play.stream, .events = POLLIN };
	ssize_t got = 1;

	while (got > 0 && poll(&wait, 1, QUIET_MS) > 0) {
		got = read(play.stream, play.came + play.came_bytes,
			   sizeof(play.came) - play.came_bytes);
		if (got > 0)
			play.came_bytes += got;
	}
	return got > 0;
}

static bool ended(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&wait, 1, COME_MS) > 0 && read(fd, &byte, 1) <= 0;
}

static bool cancelled(void)
{
	uint64_t deadline_ms = clock_ms() + COME_MS;

	while (!job_cancelled(play.job) && clock_ms() < deadline_ms)
		usleep(1000);
	return job_cancelled(play.job);
}

static const char *child_heard(void)
{
	static char text[256];
	json_t *state, *result, *child;

	job_wait(play.job, 0, &state, &result);
	child = json_object_get(state, "child");
	snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(child, "error")) ?: "");
	json_decref(state);
	json_decref(result);
	return text;
}

static void passes(const char *name)
{
	size_t until_pages;

	begin();
	record(name);
	CHECK(comes_to(RAMFILTER_PAGES));
	CHECK(take());
	until_pages = play.came_bytes;
	CHECK(until_pages && until_pages < play.told_bytes - 300);
	CHECK(!memcmp(play.came, play.told, until_pages));
	conduit_pass(&play.conduit, RAMFILTER_PAGES);
	CHECK(comes_to(RAMFILTER_STOPPED));
	CHECK(take());
	CHECK(play.came_bytes > until_pages);
	/* QEMU may have written all, and be gone. */
	close(play.in);
	CHECK(take() && !job_cancelled(play.job));
	CHECK(!atomic_load(&play.conduit.ended));
	conduit_pass(&play.conduit, RAMFILTER_STOPPED);
	CHECK(!take());
	CHECK(atomic_load(&play.conduit.ended));
	CHECK(play.came_bytes == play.told_bytes - 16 * 9 - 5);
	/* QEMU completes once its child has exited, which is for the job to say. */
	shutdown(play.stream, SHUT_RDWR);
	CHECK(ended(play.out));
	CHECK_TEXT(child_heard(), "");
	CHECK(!job_cancelled(play.job));
	end();
}

static void holds_and_passes(void)
{
	passes("qemu-7.2");
	passes("qemu-10.0");
}

static void return_path(void)
{
	char got[8];

	begin();
	CHECK(write(play.stream, "\0\2\0\4\0\0\0\1", 8) == 8);
	CHECK(read(play.out, got, 8) == 8 && !memcmp(got, "\0\2\0\4\0\0\0\1", 8));
	end();
	CHECK(!atomic_load(&play.conduit.failed));
}

/* QEMU's end before its stream's is a failure, also while nothing is read. */
static void qemu_gives_up(void)
{
	int held;

	for (held = 0; held < 2; held++) {
		begin();
		if (held)
			record("qemu-7.2");
		CHECK(!held || comes_to(RAMFILTER_PAGES));
		close(play.in);
		CHECK(cancelled());
		CHECK(atomic_load(&play.conduit.failed));
		CHECK_HAS(play.conduit.why.text, "before it was whole");
		CHECK(ended(play.out));
		take();
		end();
	}
}

/* QEMU that is cancelled shuts its socket down, and keeps it open. */
static void qemu_shuts_down(void)
{
	begin_connected();
	record("qemu-7.2-return-path");
	CHECK(comes_to(RAMFILTER_PAGES));
	shutdown(play.in, SHUT_RDWR);
	CHECK(cancelled());
	CHECK(atomic_load(&play.conduit.failed));
	CHECK_HAS(play.conduit.why.text, "before it was whole");
	CHECK(!atomic_load(&play.conduit.ended));
	take();
	end();
}

static void over_a_connection(void)
{
	char got[8];

	begin_connected();
	record("qemu-7.2-return-path");
	conduit_pass(&play.conduit, RAMFILTER_STOPPED);
	CHECK(take());
	CHECK(write(play.stream, "\0\1\0\4\0\0\0\0", 8) == 8);
	CHECK(read(play.out, got, 8) == 8 && !memcmp(got, "\0\1\0\4\0\0\0\0", 8));
	close(play.in);
	close(play.out);
	CHECK(!take() && atomic_load(&play.conduit.ended));
	CHECK(!job_cancelled(play.job));
	end();
}

static void strange_stream(void)
{
	begin();
	CHECK(write(play.in, "GET / HTTP/1.1\r\n", 16) == 16);
	CHECK(cancelled());
	CHECK(atomic_load(&play.conduit.failed));
	CHECK_HAS(play.conduit.why.text, "not QEMU's migration stream");
	CHECK(ended(play.out));
	CHECK_HAS(child_heard(), "not QEMU's migration stream");
	CHECK(write(play.in, "x", 1) == -1);
	end();
}

/* The stream's end is QEMU's, and it hears of it on its return path. */
static void refuses(void)
{
	char got[8];

	begin();
	record("qemu-7.2-return-path");
	CHECK(comes_to(RAMFILTER_PAGES));
	atomic_store(&play.conduit.refuses, true);
	conduit_stop(&play.conduit);
	CHECK(read(play.out, got, 8) == 8 && !memcmp(got, "\0\1\0\4\0\0\0\1", 8));
	CHECK(ended(play.out));
	CHECK(write(play.in, "x", 1) == -1);
	end();
}

static void stream_ends(void)
{
	begin();
	shutdown(play.stream, SHUT_RDWR);
	CHECK(ended(play.out));
	CHECK(write(play.in, "x", 1) == -1);
	/* QEMU waits for its child by then. */
	CHECK_HAS(child_heard(), "the destination ended");
	conduit_tell_child(&play.conduit, json_string("too late"));
	CHECK_HAS(child_heard(), "the destination ended");
	end();
}

/* Stopped while it writes into a stream that nobody reads. */
static void stops_when_full(void)
{
	static const char zeros[65536];
	int n;

	begin();
	record("qemu-7.2");
	conduit_pass(&play.conduit, RAMFILTER_STOPPED);
	for (n = 0; n < 16; n++)
		CHECK(write(play.in, zeros, sizeof(zeros) / 8) == sizeof(zeros) / 8);
	usleep(QUIET_MS * 1000);
	end();
}

static void never_started(void)
{
	int in[2], out[2];

	memset(&play, 0, sizeof(play));
	if (pipe(in) || pipe(out))
		tap_give_up("no pipes");
	play.conduit.pipes = (struct pipes){ in[0], out[1] };
	conduit_stop(&play.conduit);
	CHECK(ended(out[0]));
	close(in[1]);
	close(out[0]);
}

int main(void)
{
	static const struct test tests[] = {
		{ "holds at marks and passes all", holds_and_passes },
		{ "the return path", return_path },
		{ "QEMU gives up", qemu_gives_up },
		{ "QEMU shuts its connection down", qemu_shuts_down },
		{ "one connection for both ways", over_a_connection },
		{ "a stream that is none", strange_stream },
		{ "QEMU is refused", refuses },
		{ "the stream ends", stream_ends },
		{ "it is stopped while it waits", stops_when_full },
		{ "it never started", never_started },
	};

	return TAP_RUN(tests);
}

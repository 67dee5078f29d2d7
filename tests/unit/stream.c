// SPDX-License-Identifier: GPL-2.0-only
/* The stream between two QEMUs: its gate, its return path, its order, its ends. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "meeting.h"
#include "stream.h"
#include "tap.h"

#define QUIET_MS	150	/* what has not come by then was held back */
#define COME_MS		10000	/* what is to come may be slow */

/* One daemon's side. */
struct side {
	struct stream stream;
	struct chan chan;	/* the stream's */
	int qemu;		/* QEMU's end */
};

static void start(struct side *side, bool source)
{
	struct fault fault;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ||
	    stream_start(&side->stream, pair[0], &side->chan, source, &fault))
		tap_give_up("stream_start");
	side->qemu = pair[1];
}

static void stop(struct side *side)
{
	stream_stop(&side->stream);
	chan_close(&side->chan);
	close(side->qemu);
}

/* A side alone; the peer is a socket. */
static int alone(struct side *side, bool source)
{
	int fd;

	memset(side, 0, sizeof(*side));
	fd = meeting_raw(&side->chan);
	start(side, source);
	return fd;
}

static void put(int fd, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes) {
		ssize_t sent = send(fd, at, bytes, MSG_NOSIGNAL);

		if (sent <= 0)
			tap_give_up("cannot write");
		at += sent;
		bytes -= sent;
	}
}

/* Up to @bytes, less where it ends, or nothing comes for long. */
static size_t take(int fd, void *data, size_t bytes)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	size_t got = 0;

	while (got < bytes && poll(&wait, 1, COME_MS) > 0) {
		ssize_t more = read(fd, (char *)data + got, bytes - got);

		if (more <= 0)
			break;
		got += more;
	}
	return got;
}

static bool quiet(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	return poll(&wait, 1, QUIET_MS) == 0;
}

static bool ended(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&wait, 1, COME_MS) > 0 && read(fd, &byte, 1) <= 0;
}

/* Comes to have read that many of QEMU. */
static bool forwards(struct side *side, uint64_t bytes)
{
	uint64_t deadline_ms = clock_ms() + COME_MS;

	while (atomic_load(&side->stream.forward_bytes) < bytes && clock_ms() < deadline_ms)
		usleep(1000);
	return atomic_load(&side->stream.forward_bytes) == bytes;
}

/* Bytes whose period is coprime to every buffer's size. */
static char nth(uint64_t n)
{
	return (char)(n % 251 ^ (n / 251) % 241);
}

static void fill(char *data, uint64_t from, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		data[i] = nth(from + i);
}

static bool filled(const char *data, uint64_t from, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		if (data[i] != nth(from + i))
			return false;
	return true;
}

static uint32_t draw(uint64_t *state, uint32_t below)
{
	*state = *state * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(*state >> 33) % below;
}

struct flow {
	int fd;
	uint64_t bytes, seed;
};

static void *pour(void *arg)
{
	static __thread char data[100000];
	struct flow *flow = arg;
	uint64_t done = 0;

	while (done < flow->bytes) {
		size_t piece = 1 + draw(&flow->seed,
					draw(&flow->seed, 4) ? 3000 : sizeof(data) - 1);

		if (piece > flow->bytes - done)
			piece = flow->bytes - done;
		fill(data, done, piece);
		put(flow->fd, data, piece);
		done += piece;
	}
	return NULL;
}

/* Reads up to @bytes in pieces of any size and sees that each byte is in its place. */
static uint64_t drain(int fd, uint64_t bytes, uint64_t seed)
{
	static char data[100000];
	uint64_t done = 0;

	while (done < bytes) {
		size_t want = 1 + draw(&seed, sizeof(data) - 1), got;

		want = want < bytes - done ? want : bytes - done;
		got = take(fd, data, want);
		if (!CHECK(filled(data, done, got)) || !got)
			break;
		done += got;
	}
	return done;
}

static uint64_t cpu_ms(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* Waits for what it is told to do next, and does not spin. */
static void idles(void)
{
	uint64_t before_ms = cpu_ms();

	usleep(300000);
	CHECK(cpu_ms() - before_ms < 100);
}

/* The gate holds exactly the newest byte, whatever the pieces were. */
static void holds_last_byte(void)
{
	static const size_t sizes[] = { 1, 2, 3, 1000, 65535, 65536, 65537, 131072, 200000 };
	static char data[200000], got[200000];
	struct side side;
	size_t i;

	fill(data, 0, sizeof(data));
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t bytes = sizes[i];
		int peer = alone(&side, true);

		put(side.qemu, data, bytes);
		CHECK(bytes == 1 || take(peer, got, bytes - 1) == bytes - 1);
		CHECK(forwards(&side, bytes));
		CHECK(quiet(peer));
		stream_open_gate(&side.stream);
		CHECK(take(peer, got + bytes - 1, 1) == 1);
		CHECK(filled(got, 0, bytes));
		CHECK(quiet(peer));
		stop(&side);
		close(peer);
	}
}

static void holds_again_each_time(void)
{
	struct side side;
	int peer = alone(&side, true);
	char got[8];
	int i;

	for (i = 0; i < 20; i++) {
		char byte = (char)('a' + i);

		put(side.qemu, &byte, 1);
		if (i) {
			CHECK(take(peer, got, 1) == 1);
			CHECK(got[0] == 'a' + i - 1);
		}
	}
	CHECK(quiet(peer));
	stream_open_gate(&side.stream);
	CHECK(take(peer, got, 1) == 1 && got[0] == 'a' + 19);
	/* An open gate holds nothing. */
	put(side.qemu, "xy", 2);
	CHECK(take(peer, got, 2) == 2 && !memcmp(got, "xy", 2));
	stop(&side);
	close(peer);
}

static void gate_open_early(void)
{
	struct side side;
	int peer = alone(&side, true);
	char got[4];

	stream_open_gate(&side.stream);
	CHECK(quiet(peer));
	put(side.qemu, "abc", 3);
	CHECK(take(peer, got, 3) == 3 && !memcmp(got, "abc", 3));
	stop(&side);
	close(peer);
}

/* Not one byte more, however much comes, until the gate is opened. */
static void shut_holds_all(void)
{
	static char data[300000], got[300000];
	struct side side;
	int peer = alone(&side, true);

	fill(data, 0, sizeof(data));
	put(side.qemu, data, 1000);
	CHECK(take(peer, got, 999) == 999);
	stream_shut_gate(&side.stream);
	put(side.qemu, data + 1000, 1);
	CHECK(forwards(&side, 1001));
	CHECK(quiet(peer));
	put(side.qemu, data + 1001, sizeof(data) - 1001);
	CHECK(forwards(&side, sizeof(data)));
	CHECK(quiet(peer));
	stream_open_gate(&side.stream);
	CHECK(take(peer, got + 999, sizeof(got) - 999) == sizeof(got) - 999);
	CHECK(filled(got, 0, sizeof(got)) && quiet(peer));
	put(side.qemu, "x", 1);			/* and then nothing is held */
	CHECK(take(peer, got, 1) == 1);
	stop(&side);
	close(peer);
}

/* QEMU waits where more is to be held than there is room for, and nobody spins. */
static void shut_and_full(void)
{
	uint64_t bytes = 2 * STREAM_HELD_BYTES, deadline_ms = clock_ms() + COME_MS;
	struct flow flow = { .bytes = bytes, .seed = 41 };
	pthread_t thread;
	struct side side;
	int peer = alone(&side, true);

	stream_shut_gate(&side.stream);
	flow.fd = side.qemu;
	CHECK(!pthread_create(&thread, NULL, pour, &flow));
	while (atomic_load(&side.stream.forward_bytes) + 65536 <= STREAM_HELD_BYTES &&
	       clock_ms() < deadline_ms)
		usleep(1000);
	CHECK(quiet(peer));
	idles();
	CHECK(atomic_load(&side.stream.forward_bytes) <= STREAM_HELD_BYTES);
	stream_open_gate(&side.stream);
	CHECK(drain(peer, bytes, 43) == bytes);
	pthread_join(thread, NULL);
	stop(&side);
	close(peer);
}

static void stop_keeps_what_is_shut(void)
{
	struct side side;
	int peer = alone(&side, true);

	stream_shut_gate(&side.stream);
	put(side.qemu, "abc", 3);
	CHECK(forwards(&side, 3));
	stop(&side);
	CHECK(ended(peer));
	close(peer);
}

/* QEMU closes once it is done: what it said last is still to be told. */
static void qemu_closes_before_gate(void)
{
	struct side side;
	int peer = alone(&side, true);
	char got[8];

	put(side.qemu, "abcdef", 6);
	shutdown(side.qemu, SHUT_RDWR);
	CHECK(take(peer, got, 5) == 5 && !memcmp(got, "abcde", 5));
	CHECK(quiet(peer));
	stream_open_gate(&side.stream);
	CHECK(take(peer, got, 1) == 1 && *got == 'f');
	CHECK(quiet(peer));		/* and its end is not passed on */
	stop(&side);
	CHECK(ended(peer));
	close(peer);
}

/* A stream that is stopped has not let its last byte go. */
static void stop_keeps_last_byte(void)
{
	struct side side;
	int peer = alone(&side, true);
	char got[8];

	put(side.qemu, "abc", 3);
	CHECK(take(peer, got, 2) == 2);
	stop(&side);
	CHECK(ended(peer));
	close(peer);
}

static void return_held(void)
{
	struct side side;
	int peer = alone(&side, true);
	char data[3000], got[3000];

	fill(data, 0, sizeof(data));
	put(peer, data, 1000);
	put(peer, data + 1000, 1000);
	CHECK(quiet(side.qemu));
	stream_open_gate(&side.stream);		/* the gate is another matter */
	CHECK(quiet(side.qemu));
	stream_open_return(&side.stream);
	CHECK(take(side.qemu, got, 2000) == 2000);
	put(peer, data + 2000, 1000);
	CHECK(take(side.qemu, got + 2000, 1000) == 1000);
	CHECK(filled(got, 0, 3000) && quiet(side.qemu));
	stop(&side);
	close(peer);
}

static void return_open_early(void)
{
	struct side side;
	int peer = alone(&side, true);
	char got[4];

	stream_open_return(&side.stream);
	put(peer, "abc", 3);
	CHECK(take(side.qemu, got, 3) == 3 && !memcmp(got, "abc", 3));
	put(side.qemu, "de", 2);		/* nor does this open the gate */
	CHECK(take(peer, got, 1) == 1 && quiet(peer));
	stop(&side);
	close(peer);
}

/* As much as is held goes through whole. */
static void return_full(void)
{
	static char data[STREAM_RETURN_BYTES], got[STREAM_RETURN_BYTES];
	struct side side;
	int peer = alone(&side, true);

	fill(data, 0, sizeof(data));
	put(peer, data, sizeof(data));
	CHECK(quiet(side.qemu));
	stream_open_return(&side.stream);
	CHECK(take(side.qemu, got, sizeof(got)) == sizeof(data));
	CHECK(filled(got, 0, sizeof(data)) && quiet(side.qemu));
	stop(&side);
	close(peer);
}

/* A peer that says more than a return path does: all it achieves is QEMU's end. */
static void return_overrun(void)
{
	static char data[300000], got[300000];
	struct side side;
	int peer = alone(&side, true);

	fill(data, 0, sizeof(data));
	CHECK(send(peer, data, sizeof(data), MSG_DONTWAIT | MSG_NOSIGNAL) > STREAM_RETURN_BYTES);
	CHECK(ended(side.qemu));
	stream_open_return(&side.stream);
	CHECK(take(side.qemu, got, sizeof(got)) == 0);
	stop(&side);
	close(peer);
}

/* The destination's side holds nothing back. */
static void sink_holds_nothing(void)
{
	struct side side;
	int peer = alone(&side, false);
	char got[8];

	put(peer, "abc", 3);
	CHECK(take(side.qemu, got, 3) == 3 && !memcmp(got, "abc", 3));
	put(side.qemu, "xyz", 3);
	CHECK(take(peer, got, 3) == 3 && !memcmp(got, "xyz", 3));
	put(side.qemu, "1", 1);
	CHECK(take(peer, got, 1) == 1 && *got == '1');
	stop(&side);
	close(peer);
}

/* Both daemons, a QEMU's end at each side. */
struct line {
	struct side source, sink;
	struct creds creds;
};

static void line_up(struct line *line, bool tls)
{
	struct meeting meeting = { .client_creds = &line->creds, .server_creds = &line->creds };

	memset(line, 0, sizeof(*line));
	if (tls)
		meeting_psk(&line->creds, "vm", MEETING_KEY);
	meet(&meeting);
	if (meeting.client_err || meeting.server_err)
		tap_give_up("no connection");
	line->source.chan = meeting.client;
	line->sink.chan = meeting.server;
	start(&line->source, true);
	start(&line->sink, false);
}

static void line_down(struct line *line)
{
	signal(SIGPIPE, SIG_IGN);	/* as the daemon has it */
	stop(&line->source);
	stop(&line->sink);
	creds_free(&line->creds);
}

static void flows(int from, int to, uint64_t bytes, uint64_t expected, uint64_t seed)
{
	struct flow flow = { .fd = from, .bytes = bytes, .seed = seed };
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, pour, &flow));
	CHECK(drain(to, expected, seed + 1) == expected);
	pthread_join(thread, NULL);
}

static void volume(bool tls)
{
	uint64_t bytes = (3 << 20) + 4321;
	struct line line;
	char last;

	line_up(&line, tls);
	flows(line.source.qemu, line.sink.qemu, bytes, bytes - 1, 11);
	CHECK(quiet(line.sink.qemu));
	CHECK(forwards(&line.source, bytes));
	stream_open_gate(&line.source.stream);
	CHECK(take(line.sink.qemu, &last, 1) == 1 && last == nth(bytes - 1));
	stream_open_return(&line.source.stream);
	flows(line.sink.qemu, line.source.qemu, (1 << 20) + 77, (1 << 20) + 77, 13);
	flows(line.source.qemu, line.sink.qemu, 1 << 20, 1 << 20, 17);
	line_down(&line);
}

static void volume_plain(void)
{
	volume(false);
}

static void volume_tls(void)
{
	volume(true);
}

/* Both ways at once, while all that comes back is held. */
static void both_ways(bool tls)
{
	struct flow back = { .bytes = 50000, .seed = 23 };
	pthread_t thread;
	struct line line;
	char last;

	line_up(&line, tls);
	back.fd = line.sink.qemu;
	CHECK(!pthread_create(&thread, NULL, pour, &back));
	flows(line.source.qemu, line.sink.qemu, 2 << 20, (2 << 20) - 1, 29);
	pthread_join(thread, NULL);
	CHECK(quiet(line.source.qemu));
	stream_open_gate(&line.source.stream);
	CHECK(take(line.sink.qemu, &last, 1) == 1 && last == nth((2 << 20) - 1));
	CHECK(quiet(line.source.qemu));
	stream_open_return(&line.source.stream);
	CHECK(drain(line.source.qemu, 50000, 31) == 50000);
	line_down(&line);
}

static void both_ways_plain(void)
{
	both_ways(false);
}

static void both_ways_tls(void)
{
	both_ways(true);
}

/* The gate opens while bytes are on their way: none twice, none lost. */
static void gate_opens_midway(void)
{
	struct line line;
	int round;

	for (round = 0; round < 20; round++) {
		struct flow flow = { .bytes = 200000, .seed = 100 + round };
		pthread_t thread;

		line_up(&line, false);
		flow.fd = line.source.qemu;
		CHECK(!pthread_create(&thread, NULL, pour, &flow));
		usleep(round * 100);
		if (round % 2) {
			stream_shut_gate(&line.source.stream);
			usleep(round * 100);
		}
		stream_open_gate(&line.source.stream);
		CHECK(drain(line.sink.qemu, 200000, round) == 200000);
		pthread_join(thread, NULL);
		line_down(&line);
	}
}

static void return_opens_midway(void)
{
	struct line line;
	int round;

	for (round = 0; round < 20; round++) {
		struct flow flow = { .bytes = 60000, .seed = 200 + round };
		pthread_t thread;

		line_up(&line, false);
		flow.fd = line.sink.qemu;
		CHECK(!pthread_create(&thread, NULL, pour, &flow));
		usleep(round * 50);
		stream_open_return(&line.source.stream);
		CHECK(drain(line.source.qemu, 60000, round) == 60000);
		pthread_join(thread, NULL);
		line_down(&line);
	}
}

/* As much as goes into a socket whose reader does not read. */
static void stuff(int fd)
{
	static char data[65536];
	int idle = 0;

	while (idle < 20) {
		if (send(fd, data, sizeof(data), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			idle = 0;
		else
			idle++, usleep(10000);
	}
}

static void stops_soon(struct side *side)
{
	uint64_t start_ms = clock_ms();

	stop(side);
	CHECK(clock_ms() - start_ms < 2000);
}

static void stop_while_blocked(void)
{
	struct side side;
	int peer;

	peer = alone(&side, true);		/* QEMU to a peer that does not read */
	stuff(side.qemu);
	stops_soon(&side);
	close(peer);

	peer = alone(&side, false);		/* a peer to a QEMU that does not read */
	stuff(peer);
	stops_soon(&side);
	close(peer);

	peer = alone(&side, true);		/* the return path to a QEMU that does not read */
	stream_open_return(&side.stream);
	stuff(peer);
	stops_soon(&side);
	close(peer);

	peer = alone(&side, true);		/* nothing at all */
	stops_soon(&side);
	close(peer);
}

static void stop_while_blocked_tls(void)
{
	struct line line;

	line_up(&line, true);
	stuff(line.source.qemu);		/* up to a QEMU that does not read */
	signal(SIGPIPE, SIG_IGN);
	stops_soon(&line.source);
	stops_soon(&line.sink);
	creds_free(&line.creds);
}

/* QEMU is told: it fails at once, instead of at its time-outs. */
static void peer_closes(void)
{
	struct side side;
	int peer;

	peer = alone(&side, true);		/* before anything */
	close(peer);
	CHECK(ended(side.qemu));
	idles();
	stream_open_gate(&side.stream);
	stream_open_return(&side.stream);
	stops_soon(&side);

	peer = alone(&side, true);		/* while QEMU's last byte and the answer are held */
	put(side.qemu, "abc", 3);
	put(peer, "xyz", 3);
	usleep(50000);
	close(peer);
	CHECK(ended(side.qemu));
	idles();
	stream_open_gate(&side.stream);		/* to nobody: no signal */
	stream_open_return(&side.stream);
	idles();
	stops_soon(&side);
}

/* All that came before the end is QEMU's still. */
static void source_closes(void)
{
	static char data[150000], got[150001];
	struct side side;
	int peer = alone(&side, false);

	fill(data, 0, sizeof(data));
	put(peer, data, sizeof(data));
	close(peer);
	usleep(200000);
	CHECK(take(side.qemu, got, sizeof(got)) == sizeof(data));
	CHECK(filled(got, 0, sizeof(data)));
	CHECK(ended(side.qemu));
	idles();
	stops_soon(&side);
}

static void qemu_closes(void)
{
	struct side side;
	char got[4];
	int peer;

	peer = alone(&side, true);		/* before anything */
	shutdown(side.qemu, SHUT_RDWR);
	idles();
	CHECK(quiet(peer));
	put(peer, "x", 1);
	stream_open_return(&side.stream);	/* to nobody: no signal */
	idles();
	stops_soon(&side);
	close(peer);

	peer = alone(&side, false);		/* a destination's, with an answer on its way */
	put(peer, "abc", 3);
	CHECK(take(side.qemu, got, 3) == 3);
	put(side.qemu, "xyz", 3);
	CHECK(!atomic_load(&side.stream.qemu_closed));
	shutdown(side.qemu, SHUT_RDWR);
	CHECK(take(peer, got, 3) == 3 && !memcmp(got, "xyz", 3));
	put(peer, "def", 3);
	idles();
	CHECK(quiet(peer));
	CHECK(atomic_load(&side.stream.qemu_closed));
	stops_soon(&side);
	close(peer);
}

static void both_close(void)
{
	struct side side;
	int peer = alone(&side, true);

	put(side.qemu, "abc", 3);
	shutdown(side.qemu, SHUT_RDWR);
	close(peer);
	idles();
	stops_soon(&side);
}

/* Neither a stream that never began nor one stopped before has anything to end. */
static void stop_twice(void)
{
	struct stream never = { 0 };
	struct side side;
	int peer = alone(&side, true);

	stream_stop(&never);
	stream_open_gate(&never);
	stream_stop(&side.stream);
	CHECK(side.stream.qemu == -1);
	stream_stop(&side.stream);
	stream_open_gate(&side.stream);
	stop(&side);
	close(peer);
}

int main(void)
{
	static const struct test tests[] = {
		{ "the gate holds the last byte", holds_last_byte },
		{ "the gate holds each last byte", holds_again_each_time },
		{ "a gate opened before anything came", gate_open_early },
		{ "a shut gate holds everything", shut_holds_all },
		{ "a shut gate and a full buffer", shut_and_full },
		{ "a stop while the gate is shut", stop_keeps_what_is_shut },
		{ "QEMU closes before the gate opens", qemu_closes_before_gate },
		{ "a stop keeps the last byte", stop_keeps_last_byte },
		{ "the return path is held", return_held },
		{ "a return path opened before anything came", return_open_early },
		{ "a full return path", return_full },
		{ "more than a return path", return_overrun },
		{ "the destination's side holds nothing", sink_holds_nothing },
		{ "a large stream, plain", volume_plain },
		{ "a large stream, TLS", volume_tls },
		{ "both ways at once, plain", both_ways_plain },
		{ "both ways at once, TLS", both_ways_tls },
		{ "the gate opens midway", gate_opens_midway },
		{ "the return path opens midway", return_opens_midway },
		{ "a stop while blocked", stop_while_blocked },
		{ "a stop while blocked, TLS", stop_while_blocked_tls },
		{ "the peer closes", peer_closes },
		{ "the source closes", source_closes },
		{ "QEMU closes", qemu_closes },
		{ "both close", both_close },
		{ "a stop twice", stop_twice },
	};

	return TAP_RUN(tests);
}

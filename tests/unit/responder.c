// SPDX-License-Identifier: GPL-2.0-only
/* What answers in a guest: requests, sizes, the histogram, lines out of a stream, sockets. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "responder/answer.h"
#include "responder/connection.h"
#include "responder/latency.h"
#include "responder/pace.h"
#include "responder/port.h"
#include "responder/size.h"
#include "responder/stalls.h"
#include "responder/tcp.h"
#include "responder/thread.h"
#include "responder/udp.h"
#include "tap.h"

#define UNKNOWN "not a request; these are: echo SEQ, status, reset, hum LOUDLY"

static struct facts facts = { .clock_us = 7000900, .ticks = 40, .longest_jump_us = 1234,
			      .work = 55, .errors = 2, .disk_errors = 3 };
static unsigned int padding;
static char hummed[64], reply[ANSWER_BYTES];

static void tell_facts(struct facts *to)
{
	*to = facts;
}

static void tell_status(struct text *text)
{
	unsigned int i;

	text_add(text, ",\"own\":9,\"padding\":\"");
	for (i = 0; i < padding; i++)
		text_add(text, "x");
	text_add(text, "\"");
}

static void reset(void)
{
	facts.longest_jump_us = 0;
}

static int hum(const char *argument, struct fault *fault)
{
	snprintf(hummed, sizeof(hummed), "%s", argument ? argument : "(none)");
	return argument ? 0 : fail(fault, "hum \"what\"\\?");
}

static const struct request requests[] = { { "hum", "hum LOUDLY", hum }, { 0 } };
static const struct answers answers = { tell_facts, tell_status, reset, requests };

/* One line, with nothing after it. */
static const char *ask_bytes(const char *line, size_t bytes)
{
	size_t n;

	memset(reply, 0xa5, sizeof(reply));
	n = answer(&answers, line, bytes, reply);
	CHECK(n < sizeof(reply) && !reply[n] && n == strlen(reply));
	CHECK(n && strchr(reply, '\n') == reply + n - 1);
	return reply;
}

static const char *ask(const char *line)
{
	return ask_bytes(line, strlen(line));
}

static json_t *ask_json(const char *line)
{
	json_t *object = json_loads(ask(line), 0, NULL);

	if (!object)
		tap_give_up(reply);
	return object;
}

static json_int_t integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void refused(const char *line, size_t bytes, const char *why)
{
	json_t *object = json_loads(ask_bytes(line, bytes), 0, NULL);

	CHECK_TEXT(json_string_value(json_object_get(object, "error")), why);
	CHECK(json_object_size(object) == 1);
	json_decref(object);
}

static void echo(void)
{
	CHECK_TEXT(ask("echo 12"), "echo 12 7000900 5 55 40 1234\n");
	CHECK_TEXT(ask("echo 0\r\n"), "echo 0 7000900 5 55 40 1234\n");
	CHECK_TEXT(ask("echo 18446744073709551615\n"),
		   "echo 18446744073709551615 7000900 5 55 40 1234\n");
}

static void echo_refused(void)
{
	static const char *const bad[] = { "echo", "echo ", "echo x", "echo -1", "echo 1 2",
					   "echo  1", "echo 1 ", "echo 123456789012345678901" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused(bad[i], strlen(bad[i]), "echo needs a number");
}

static void status(void)
{
	json_t *object = ask_json("status");

	CHECK(json_is_false(json_object_get(object, "ready")));
	CHECK(integer(object, "uptime_ms") == 7000 && integer(object, "ticks") == 40);
	CHECK(integer(object, "longest_jump_us") == 1234 && integer(object, "work") == 55);
	CHECK(integer(object, "errors") == 2 && integer(object, "own") == 9);
	json_decref(object);
	facts.ready = true;
	CHECK_HAS(ask("status\n"), "\"ready\":true,");
}

static void as_before_the_reset(void)
{
	json_t *object = ask_json("reset");

	CHECK(integer(object, "longest_jump_us") == 1234);
	json_decref(object);
	CHECK_TEXT(ask("echo 1"), "echo 1 7000900 5 55 40 0\n");
}

static void own_requests(void)
{
	json_t *object = ask_json("hum a b c");

	CHECK_TEXT(hummed, "a b c");
	CHECK(integer(object, "own") == 9);
	json_decref(object);
	refused("hum", 3, "hum ?what???");
	CHECK_TEXT(hummed, "(none)");
}

static void garbage(void)
{
	char line[LINE_BYTES + 1];

	refused("", 0, UNKNOWN);
	refused("\n", 1, UNKNOWN);
	refused("statu", 5, UNKNOWN);
	refused("status x", 8, UNKNOWN);
	refused("reset ", 6, UNKNOWN);
	refused("hummm", 5, UNKNOWN);
	refused("%s%n\"\\", 6, UNKNOWN);
	refused("status\0", 7, "the line is not printable ASCII");
	refused("echo 1\necho 2", 13, "the line is not printable ASCII");
	refused("echo \xff", 6, "the line is not printable ASCII");
	memset(line, 'x', sizeof(line));
	refused(line, LINE_BYTES - 1, UNKNOWN);
	refused(line, LINE_BYTES, "the line is too long");
	refused(line, sizeof(line), "the line is too long");
}

static void longest_answer(void)
{
	json_t *object;

	padding = ANSWER_BYTES - 200;
	object = ask_json("status");
	CHECK(json_string_length(json_object_get(object, "padding")) == padding);
	json_decref(object);
	padding = ANSWER_BYTES;
	refused("status", 6, "the answer is too long");
}

static bool is_size(const char *text, uint64_t expected)
{
	struct fault fault = { 0 };
	uint64_t bytes = 0x5a;
	int err = size_parse(text, &bytes, &fault);

	return !err && bytes == expected;
}

static void sizes(void)
{
	static const char *const bad[] = { "", " 1", "-1", "+1", "x", "K", "1KK", "1 K", "1.5M",
					   "1B", "0x10", "8388608T", "9223372036854775808",
					   "99999999999999999999", "99999999999999999999K" };
	struct fault fault;
	uint64_t bytes = 0x5a;
	size_t i;

	CHECK(is_size("0", 0) && is_size("4096", 4096) && is_size("010", 10));
	CHECK(is_size("1k", 1 << 10) && is_size("1K", 1 << 10) && is_size("3m", 3 << 20));
	CHECK(is_size("16M", 16 << 20) && is_size("2G", 2ULL << 30) && is_size("1T", 1ULL << 40));
	CHECK(is_size("8388607T", 8388607ULL << 40) && is_size("9223372036854775807", INT64_MAX));
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!CHECK(size_parse(bad[i], &bytes, &fault) == -1 && bytes == 0x5a))
			CHECK_TEXT(bad[i], "refused");
}

static void rates(void)
{
	char buffer[64];
	struct text text = { buffer, sizeof(buffer), 0, false };
	atomic_ullong rate = 5;
	struct fault fault;

	CHECK(pace_parse("x", &rate, &fault) == -1 && pace_parse("MAX", &rate, &fault) == -1);
	CHECK(rate == 5);
	CHECK(!pace_parse("8M", &rate, &fault) && rate == 8 << 20);
	pace_tell(rate, "a", &text);
	CHECK(!pace_parse("max", &rate, &fault));
	pace_tell(rate, "b", &text);
	CHECK_TEXT(buffer, ",\"a\":8388608,\"b\":null");
}

/* As much as ten steps of 5 ms, and in small portions. */
static void after_a_pause(void)
{
	struct pace pace;

	pace = (struct pace){ clock_ns() - 10000000000, 0 };
	CHECK(pace_pages(&pace, 1010 * PAGE_BYTES, 1) == 51);
	pace = (struct pace){ clock_ns() - 10000000000, 0 };
	CHECK(pace_pages(&pace, 1010 * PAGE_BYTES, 10) == 6);
	pace = (struct pace){ clock_ns() - 10000000000, 0 };
	CHECK(pace_pages(&pace, INT64_MAX, 1) == 256);
	pace_start(&pace);
	CHECK(pace_pages(&pace, PACE_NO_LIMIT, 1) == 256);
	CHECK(pace_pages(&pace, 0, 1) == 0);
}

static void buckets(void)
{
	unsigned int i;

	CHECK(latency_bucket(0) == 0 && latency_bucket(255) == 0);
	for (i = 0; i < LATENCY_BUCKETS - 1; i++) {
		CHECK(latency_bound_ns(i) == 256ULL << i);
		CHECK(latency_bucket(latency_bound_ns(i) - 1) == i);
		CHECK(latency_bucket(latency_bound_ns(i)) == i + 1);
	}
	CHECK(latency_bound_ns(i) >= 4000000000);
	CHECK(latency_bucket(latency_bound_ns(i)) == i && latency_bucket(UINT64_MAX) == i);
}

static void histogram(void)
{
	struct latency latency = { 0 }, sum = { 0 };
	char buffer[2048] = "{\"a\":0";
	struct text text = { buffer, sizeof(buffer), strlen(buffer), false };
	json_t *object, *counts, *bounds;

	latency_add(&latency, 100);
	latency_add(&latency, 300);
	latency_add(&latency, 400);
	latency_merge(&sum, &latency);
	latency_merge(&sum, &latency);
	latency_tell(&sum, &text);
	text_add(&text, "}");
	object = json_loads(buffer, 0, NULL);
	counts = json_object_get(json_object_get(object, "write_latency"), "count");
	bounds = json_object_get(json_object_get(object, "write_latency"), "bound_ns");
	CHECK(json_array_size(counts) == LATENCY_BUCKETS);
	CHECK(json_array_size(bounds) == LATENCY_BUCKETS);
	CHECK(json_integer_value(json_array_get(counts, 0)) == 2);
	CHECK(json_integer_value(json_array_get(counts, 1)) == 4);
	CHECK(json_integer_value(json_array_get(counts, 2)) == 0);
	CHECK(json_integer_value(json_array_get(bounds, 24)) == 256LL << 24);
	json_decref(object);
}

/* What a stream is taken for when it comes in pieces of up to @piece bytes: - is too long. */
static void lines_of(const char *stream, size_t bytes, size_t piece, char *to)
{
	struct intake intake = { 0 };
	char line[LINE_BYTES];
	size_t room, n;
	enum line what;

	while (bytes) {
		char *at = intake_room(&intake, &room);

		n = piece < room ? piece : room;
		n = n < bytes ? n : bytes;
		memcpy(at, stream, n);
		intake_filled(&intake, n);
		stream += n;
		bytes -= n;
		while (intake_ready(&intake)) {
			what = intake_next(&intake, line, &n);
			CHECK(what != LINE_NONE);
			if (what == LINE_WHOLE)
				to += sprintf(to, "%.*s|", (int)n, line);
			else
				to += sprintf(to, "-|");
		}
		CHECK(intake_next(&intake, line, &n) == LINE_NONE);
	}
	*to = 0;
}

static void pieces(void)
{
	const char stream[] = "echo 1\n\nstatus\r\nreset\nunfinished";
	char got[256];
	size_t piece;

	for (piece = 1; piece < sizeof(stream); piece++) {
		lines_of(stream, strlen(stream), piece, got);
		CHECK_TEXT(got, "echo 1||status\r|reset|");
	}
}

static void long_lines(void)
{
	static const size_t lengths[] = { 254, 255, 256, 257, 511, 512, 513, 100000 };
	static char stream[200000], got[4096], expected[4096];
	size_t i, n, piece;

	for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		memset(stream, 'x', lengths[i]);
		n = lengths[i] + sprintf(stream + lengths[i], "\na\n");
		if (lengths[i] < LINE_BYTES)
			sprintf(expected, "%.*s|a|", (int)lengths[i], stream);
		else
			strcpy(expected, "-|a|");
		for (piece = 1; piece < 600; piece += 37) {
			lines_of(stream, n, piece, got);
			CHECK_TEXT(got, expected);
		}
	}
}

static void pair(int *client, struct connection **c)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds))
		tap_give_up("no sockets");
	*client = fds[0];
	*c = connection_open(fds[1]);
}

static void put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		tap_give_up("cannot write");
}

/* What came, up to now. */
static const char *got(int fd)
{
	static char text[4 * ANSWER_BYTES];
	ssize_t n, used = 0;

	while ((n = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += n;
	text[used] = 0;
	return text;
}

/* One line each turn; what came before the end is answered, what is unfinished is not. */
static void one_at_a_time(void)
{
	struct connection *c;
	int client;

	pair(&client, &c);
	CHECK(connection_events(c) == POLLIN && !connection_busy(c));
	put(client, "echo 1\necho 2\nhum");
	CHECK(!connection_serve(c, &answers, POLLIN) && connection_busy(c));
	CHECK_TEXT(got(client), "echo 1 7000900 5 55 40 1234\n");
	CHECK(!connection_serve(c, &answers, 0) && !connection_busy(c));
	CHECK_TEXT(got(client), "echo 2 7000900 5 55 40 1234\n");
	shutdown(client, SHUT_WR);
	CHECK(connection_serve(c, &answers, POLLIN) == -1);
	CHECK_TEXT(got(client), "");
	CHECK_TEXT(hummed, "");
	connection_close(c);
	close(client);
}

static void does_not_read(void)
{
	struct connection *c;
	int client, i;

	padding = ANSWER_BYTES - 1000;
	pair(&client, &c);
	for (i = 0; i < 100 && !c->filled; i++) {
		put(client, "status\n");
		CHECK(!connection_serve(c, &answers, POLLIN));
	}
	CHECK(i < 100 && connection_events(c) == POLLOUT);
	put(client, "echo 9\n");
	CHECK(!connection_serve(c, &answers, POLLOUT) && connection_events(c) == POLLOUT);
	while (c->filled && i--) {
		got(client);
		CHECK(!connection_serve(c, &answers, POLLOUT));
	}
	CHECK(!connection_serve(c, &answers, POLLIN));
	CHECK_HAS(got(client), "echo 9 ");
	close(client);
	CHECK(connection_serve(c, &answers, POLLIN | POLLHUP) == -1);
	connection_close(c);
}

static unsigned int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t bytes = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (void *)&a, bytes) || getsockname(fd, (void *)&a, &bytes))
		tap_give_up("no port");
	close(fd);
	return ntohs(a.sin_port);
}

static int dial(int type, unsigned int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type, 0);

	if (connect(fd, (void *)&a, sizeof(a)))
		tap_give_up("cannot connect");
	return fd;
}

static const char *receive(int fd)
{
	static char text[4096];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return text;
}

static void over_tcp(void)
{
	unsigned int port = free_port();
	int deaf, fd, i;
	struct fault fault = { 0 };

	padding = 1000;
	if (!CHECK(!tcp_start(&answers, port, &fault)))
		tap_give_up(fault.text);
	fd = dial(SOCK_STREAM, port);
	put(fd, "hum\nhum\necho 4\n");
	while (!strstr(receive(fd), "echo 4 "))
		;
	deaf = dial(SOCK_STREAM, port);
	fcntl(deaf, F_SETFL, O_NONBLOCK);
	for (i = 0; i < 100000 && send(deaf, "status\n", 7, 0) == 7; i++)
		;
	put(fd, "ec");
	put(fd, "ho 3\n");
	CHECK_TEXT(receive(fd), "echo 3 7000900 5 55 40 1234\n");
	CHECK(port_open(SOCK_STREAM, port, &fault) == -1);
	CHECK_HAS(fault.text, "TCP port");
	close(fd);
	close(deaf);
}

static void over_udp(void)
{
	unsigned int port = free_port();
	char line[LINE_BYTES + 100];
	struct fault fault = { 0 };
	int fd;

	if (!CHECK(!udp_start(&answers, port, &fault)))
		tap_give_up(fault.text);
	fd = dial(SOCK_DGRAM, port);
	put(fd, "{\"error\":\"another's\"}");
	put(fd, "echo 4\n");
	CHECK_TEXT(receive(fd), "echo 4 7000900 5 55 40 1234\n");
	CHECK(!send(fd, "", 0, 0));
	CHECK_HAS(receive(fd), UNKNOWN);
	memset(line, 'x', sizeof(line));
	CHECK(send(fd, line, sizeof(line), 0) == sizeof(line));
	CHECK_HAS(receive(fd), "too long");
	close(fd);
}

static void ticks(void)
{
	static struct ticker ticker;
	char buffer[ANSWER_BYTES] = "{\"a\":0";
	struct text text = { buffer, sizeof(buffer), strlen(buffer), false };
	struct fault fault;
	json_t *object;

	if (!CHECK(!ticker_start(&ticker, THREAD_ANY_CPU, &fault)) ||
	    !CHECK(!stalls_start(&ticker, &fault)))
		tap_give_up(fault.text);
	while (ticker.ticks < 5)
		usleep(1000);
	CHECK(ticker.longest_jump_us >= 1000);
	stalls_tell(&text);
	text_add(&text, "}");
	object = json_loads(buffer, 0, NULL);
	CHECK(json_array_size(json_object_get(object, "vcpus")) > 0);
	json_decref(object);
}

int main(void)
{
	static const struct test tests[] = {
		{ "echo", echo },
		{ "echo needs a number", echo_refused },
		{ "status", status },
		{ "reset is answered as before it", as_before_the_reset },
		{ "requests of the program's own", own_requests },
		{ "garbage", garbage },
		{ "answers that just fit, and do not", longest_answer },
		{ "sizes", sizes },
		{ "rates", rates },
		{ "what a pause left undone is let go", after_a_pause },
		{ "bounds of the histogram", buckets },
		{ "histogram", histogram },
		{ "lines in pieces", pieces },
		{ "lines that are too long", long_lines },
		{ "a connection's lines, one at a time", one_at_a_time },
		{ "a client that does not read", does_not_read },
		{ "TCP", over_tcp },
		{ "UDP", over_udp },
		{ "ticker and stalls", ticks },
	};

	return TAP_RUN(tests);
}

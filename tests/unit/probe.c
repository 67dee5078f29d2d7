// SPDX-License-Identifier: GPL-2.0-only
/* Network probes of a responder that loses, holds back, stands still and goes away. */
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "downtime/probe.h"
#include "respondent.h"
#include "tap.h"

#define COME_MS		30000	/* what is to come may be slow */

static const char status[] = "{\"ready\":true,\"work\":12}\n";
static struct respondent guest = { .client = -1, .status = status };
static struct probe probe;

static void guest_up(const char *host)
{
	respondent_up(&guest, host);
}

static void guest_down(void)
{
	respondent_down(&guest);
}

static void probe_up(enum probe_kind kind, unsigned int hz)
{
	struct probe_options options = { .target = guest.target, .hz = hz, .cpu = -1 };
	struct fault fault;

	if (probe_start(&probe, kind, &options, &fault))
		tap_give_up(fault.text);
}

/* Hears of that many requests, answered or not. */
static void await_heard(unsigned int requests)
{
	uint64_t deadline_ms = clock_ms() + COME_MS;

	while (guest.heard < requests && clock_ms() < deadline_ms)
		usleep(1000);
	CHECK(guest.heard >= requests);
}

static void await_samples(size_t count)
{
	uint64_t deadline_ms = clock_ms() + COME_MS;

	while (probe.series.count < count && clock_ms() < deadline_ms)
		usleep(1000);
	CHECK(probe.series.count >= count);
}

/* A probe of @guest, as it was told to behave, of more than @requests. */
static void watch(enum probe_kind kind, const char *host, unsigned int requests)
{
	guest_up(host);
	probe_up(kind, 1000);
	await_heard(requests + 50);
	probe_stop(&probe);
	guest_down();
	CHECK(!guest.malformed);
}

static json_int_t stat_of(size_t first, size_t end, const char *key)
{
	const struct sample *samples = probe.series.samples;
	struct series_window window = { samples[first].sent_ns, samples[end].sent_ns };
	json_t *stats = series_stats(&probe.series, window);
	json_int_t count = json_integer_value(json_object_get(stats, key));

	json_decref(stats);
	return count;
}

/* A sample is right if it was answered when the guest did, and while it was under way. */
static bool right(size_t seq)
{
	const struct sample *sample = &probe.series.samples[seq];

	if (!sample->reply_ns)
		return !guest.replies[seq];
	return guest.replies[seq] && sample->errors == 7 && sample->work == seq * 10 &&
	       sample->sent_ns / 1000 <= sample->guest_us &&
	       sample->guest_us <= sample->reply_ns / 1000 + 50;
}

static void all_right(size_t first, size_t end)
{
	json_int_t unanswered = 0;
	size_t seq;

	for (seq = first; seq < end; seq++) {
		unanswered += !guest.replies[seq];
		if (!CHECK(right(seq)))
			break;
	}
	CHECK(stat_of(first, end, "lost") == unanswered);
	CHECK(stat_of(first, end, "sent") == (json_int_t)(end - first));
}

#define ON_BOTH(test, kind, name)						\
	static void name ## _4(void) { test(kind, "127.0.0.1"); }		\
	static void name ## _6(void) { test(kind, "::1"); }

static void losses(enum probe_kind kind, const char *host)
{
	unsigned int seq;

	guest.lose_every = 7;
	watch(kind, host, TRICKS);
	all_right(0, TRICKS);
	for (seq = 6; seq < TRICKS; seq += 7)
		CHECK(!probe.series.samples[seq].reply_ns);
	CHECK(stat_of(0, TRICKS, "lost") >= TRICKS / 7 && stat_of(0, TRICKS, "received") > 0);
	CHECK(!stat_of(0, TRICKS, "reordered") && !probe.duplicates && !probe.garbage);
	CHECK(!probe.reconnects);
	probe_close(&probe);
}

ON_BOTH(losses, PROBE_UDP, udp_losses)
ON_BOTH(losses, PROBE_TCP, tcp_losses)

/* Replies overtaken by the next, sent twice, and what is none. */
static void disorder(enum probe_kind kind, const char *host)
{
	unsigned int pieces = kind == PROBE_UDP ? JUNK : JUNK - 1, seq;
	json_int_t reordered = 0;

	guest.swap_every = 10;
	guest.twice_every = 25;		/* but for every second one of them, which is held back */
	guest.junk_every = 17;
	watch(kind, host, TRICKS);
	all_right(0, TRICKS);
	for (seq = 9; seq < TRICKS; seq += 10)
		reordered += guest.replies[seq];
	CHECK(reordered > 0 && stat_of(0, TRICKS, "reordered") == reordered);
	CHECK(probe.duplicates == TRICKS / 50);
	CHECK(probe.garbage == TRICKS / 17 * pieces);
	probe_close(&probe);
}

ON_BOTH(disorder, PROBE_UDP, udp_disorder)
ON_BOTH(disorder, PROBE_TCP, tcp_disorder)

/* A gap of at least 300 ms, there where the guest was not. */
static void has_gap(void)
{
	struct series_window longest = series_longest_gap(&probe.series, SERIES_ALL, 0);
	json_t *gaps = series_gaps(&probe.series, 300 * MS, 0), *gap;
	unsigned int found = 0;
	size_t i;

	CHECK(longest.to_ns - longest.from_ns >= 300 * MS);
	json_array_foreach(gaps, i, gap)
		found += json_integer_value(json_object_get(gap, "from_ns")) <=
			 (json_int_t)(guest.paused_ns + PAUSE_MS / 2 * MS) &&
			 json_integer_value(json_object_get(gap, "to_ns")) + (json_int_t)MS >=
			 (json_int_t)guest.resumed_ns;
	CHECK(found == 1);
	json_decref(gaps);
}

static void pause_of_guest(enum probe_kind kind, const char *host)
{
	guest.pause_at = 100;
	watch(kind, host, 700);
	all_right(0, 700);
	has_gap();
	CHECK(!probe.reconnects);
	probe_close(&probe);
}

ON_BOTH(pause_of_guest, PROBE_UDP, udp_pause)
ON_BOTH(pause_of_guest, PROBE_TCP, tcp_pause)

/* Nobody listens for a while: refused, not ended by it. Replies may be lost with a reset. */
static void restart(enum probe_kind kind, const char *host)
{
	const struct sample *samples;
	size_t seq = 0, count;

	guest.leave_at = 100;
	guest.politely = strchr(host, ':');
	guest_up(host);
	probe_up(kind, 1000);
	await_heard(150);	/* it is back */
	count = probe.series.count;
	await_heard(count + 50);
	probe_stop(&probe);
	guest_down();
	samples = probe.series.samples;
	while (seq < count && (right(seq) || (seq < 100 && !samples[seq].reply_ns)))
		seq++;
	CHECK(seq == count && !samples[100].reply_ns && stat_of(101, count, "received") > 0);
	CHECK(probe.reconnects == (kind == PROBE_TCP) && !guest.malformed);
	CHECK(!probe_failed(&probe, &(struct fault){ "" }));
	has_gap();
	probe_close(&probe);
}

ON_BOTH(restart, PROBE_UDP, udp_restart)
ON_BOTH(restart, PROBE_TCP, tcp_restart)

/* The guest does not read; returns what the probe sent or did not, until it does again. */
static size_t fill_connection(bool forsake)
{
	size_t count;

	guest_up("127.0.0.1");
	probe_up(PROBE_TCP, 2000);
	await_heard(100);
	guest.hold = true;
	await_samples(probe.series.count + 8000);
	guest.forsake = forsake;
	guest.hold = false;
	count = probe.series.count;
	await_heard(count + 50);
	probe_stop(&probe);
	guest_down();
	CHECK(!guest.malformed && !probe.garbage && !probe.duplicates);
	CHECK(probe.reconnects == forsake);
	return count;
}

/* The rest of a record is not the next connection's. */
static void full_and_reset(void)
{
	size_t count = fill_connection(true);

	all_right(count, count + 40);
	probe_close(&probe);
}

/* More than a connection holds: whole records, or none. */
static void full_connection(void)
{
	size_t count = fill_connection(false);

	all_right(0, count);
	CHECK(stat_of(0, count, "lost") > 0 && stat_of(0, count, "received") > 100);
	probe_close(&probe);
}

/* It was stopped itself: known, and not made up for. */
static void own_pause(void)
{
	const uint64_t period_ns = MS;
	uint64_t took_ns;
	int go_on[2];
	pid_t child;
	char byte;

	if (pipe(go_on))
		tap_give_up("pipe");
	child = fork();
	if (!child) {
		if (read(go_on[0], &byte, 1) == 1 && !kill(getppid(), SIGSTOP))
			usleep(PAUSE_MS * 1000);
		kill(getppid(), SIGCONT);
		_exit(0);
	}
	guest_up("127.0.0.1");
	probe_up(PROBE_UDP, 1000);
	await_heard(100);
	CHECK(write(go_on[1], "x", 1) == 1 && waitpid(child, NULL, 0) == child);
	await_heard(probe.series.count + 100);
	probe_stop(&probe);
	guest_down();
	CHECK(probe.series.own_gap_ns >= 300 * MS);
	took_ns = probe.series.samples[probe.series.count - 1].sent_ns -
		  probe.series.samples[0].sent_ns;
	CHECK(took_ns / period_ns + 2 >=
	      probe.series.count - 1 + probe.series.own_gap_ns / period_ns);
	probe_close(&probe);
}

/* Replies may be under way when it is to end. */
static void waits_for_replies(void)
{
	uint64_t before_ns;

	guest_up("127.0.0.1");
	probe_up(PROBE_UDP, 1000);
	await_heard(10);
	guest.hold = true;
	await_samples(probe.series.count + 50);
	before_ns = clock_ns();
	probe_stop(&probe);
	CHECK(clock_ns() - before_ns >= 300 * MS);
	guest_down();
	CHECK(probe.series.arrivals < probe.series.count);
	probe_close(&probe);
}

static void older_guest(void)
{
	unsigned int seq;

	guest.brief = true;
	watch(PROBE_UDP, "127.0.0.1", 100);
	for (seq = 0; seq < 100; seq++)
		CHECK(probe.series.samples[seq].errors == 7 && !probe.series.samples[seq].work);
	CHECK(!probe.garbage);
	probe_close(&probe);
}

static void by_name(enum probe_kind kind)
{
	struct probe_options options = { .hz = 100, .cpu = -1 };
	struct addrinfo *found;
	struct fault fault;
	char target[64];

	if (getaddrinfo("localhost", NULL, NULL, &found))
		tap_skip("no localhost");
	freeaddrinfo(found);
	guest_up("127.0.0.1");
	snprintf(target, sizeof(target), "localhost:%u", respondent_port(&guest));
	options.target = target;
	if (probe_start(&probe, kind, &options, &fault))
		tap_give_up(fault.text);
	await_heard(20);
	probe_close(&probe);
	guest_down();
}

static void udp_by_name(void)
{
	by_name(PROBE_UDP);
}

static void tcp_by_name(void)
{
	by_name(PROBE_TCP);
}

/* 127.0.0.2 is this host, too, and nobody answers there. */
static void second_address(enum probe_kind kind)
{
	const struct probe_way *way = kind == PROBE_UDP ? &probe_udp : &probe_tcp;
	struct probe_target *target = &probe.target;
	struct fault fault = { "" };

	guest_up("127.0.0.1");
	CHECK(!probe_resolve(guest.target, way->socktype, target, &fault) && target->count == 1);
	target->at[target->count++] = target->at[0];
	((struct sockaddr_in *)&target->at[0].addr)->sin_addr.s_addr = htonl(0x7f000002);
	CHECK(!way->open(&probe, &fault) && probe.which == 1);
	way->close(&probe);
	guest_down();
}

static void udp_second_address(void)
{
	second_address(PROBE_UDP);
}

static void tcp_second_address(void)
{
	second_address(PROBE_TCP);
}

static void no_room(void)
{
	struct probe_options options = { .target = guest.target, .hz = 1000, .cpu = -1, .room = 50 };
	struct fault fault = { "" };

	guest_up("127.0.0.1");
	CHECK(!probe_start(&probe, PROBE_UDP, &options, &fault) && !probe_failed(&probe, &fault));
	await_heard(50);
	while (!probe_failed(&probe, &fault))
		usleep(1000);
	CHECK_HAS(fault.text, "no room for more than 50");
	probe_stop(&probe);
	CHECK(probe.series.count == 50);
	probe_close(&probe);
	guest_down();
}

static bool starts_not(enum probe_kind kind, const char *target, const char *why)
{
	struct probe_options options = { .target = target, .hz = 100, .cpu = -1 };
	struct fault fault = { "" };

	return CHECK(probe_start(&probe, kind, &options, &fault)) && CHECK_HAS(fault.text, why) &&
	       CHECK(!probe.running && !probe.series.samples && probe.fd < 0);
}

static void nobody_there(void)
{
	char target[64];

	guest.banner = "SSH-2.0-OpenSSH\n";
	guest.status = NULL;
	guest_up("127.0.0.1");
	starts_not(PROBE_TCP, guest.target, "it says \"SSH-2.0-OpenSSH\"");
	starts_not(PROBE_UDP, guest.target, "no reply");
	snprintf(target, sizeof(target), "vmfastmig-responder --port %u", respondent_port(&guest));
	starts_not(PROBE_UDP, guest.target, target);
	guest.hold = true;
	starts_not(PROBE_TCP, guest.target, "TCP port");
	guest.hold = false;
	guest_down();
	starts_not(PROBE_UDP, guest.target, "Connection refused");
	starts_not(PROBE_TCP, guest.target, "Connection refused");
}

static void bad_options(void)
{
	static const char *const targets[] = { "", ":1", "[::1", "[::1]x", "[::1]:", "[]:1",
		"[127.0.0.1", "host:0", "host:65536", "host:1x", "host:", "host:-1", "::g", "[::g]:1",
		"1:2:3" };
	struct probe_options options = { .target = "127.0.0.1:1", .hz = 0, .cpu = -1 };
	struct fault fault = { "" };
	char longest[400];
	size_t i;

	for (i = 0; i < sizeof(targets) / sizeof(*targets); i++)
		CHECK(starts_not(i & 1 ? PROBE_UDP : PROBE_TCP, targets[i], ""));
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	starts_not(PROBE_UDP, longest, "HOST[:PORT]");

	CHECK(probe_start(&probe, PROBE_UDP, &options, &fault));
	options.hz = PROBE_HZ_MAX + 1;
	CHECK(probe_start(&probe, PROBE_UDP, &options, &fault));
	CHECK_HAS(fault.text, "times a second");
	guest_up("127.0.0.1");
	options = (struct probe_options){ .target = guest.target, .hz = 1, .cpu = 65535 };
	CHECK(probe_start(&probe, PROBE_UDP, &options, &fault));
	CHECK_HAS(fault.text, "CPU 65535");
	options.cpu = CPU_SETSIZE - 1;
	CHECK(probe_start(&probe, PROBE_UDP, &options, &fault));
	CHECK_HAS(fault.text, "CPU 1023");
	guest_down();
}

static bool refused(const char *why)
{
	struct fault fault = { "" };
	json_t *answer = NULL;

	return CHECK(probe_ask(guest.target, "status", &answer, 600, &fault)) && CHECK(!answer) &&
	       CHECK_HAS(fault.text, why);
}

/* The next descriptor: those that are left open make it another one. */
static int next_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void questions_at(const char *host)
{
	static char large[60000];
	struct fault fault = { "" };
	json_t *answer = NULL;
	int fd = next_fd();

	guest.deaf = 2;
	guest_up(host);
	CHECK(!probe_ask(guest.target, "reset", &answer, COME_MS, &fault));
	CHECK(json_integer_value(json_object_get(answer, "work")) == 12 && guest.questions >= 3);
	json_decref(answer);
	guest_down();
	refused("vmfastmig-responder --port");
	CHECK(next_fd() == fd);

	memset(large, ' ', sizeof(large) - 1);
	memcpy(large, status, sizeof(status) - 1);
	guest = (struct respondent){ .client = -1, .status = large };
	guest_up(host);
	CHECK(!probe_ask(guest.target, "status", &answer, COME_MS, &fault));
	json_decref(answer);
	guest_down();
}

static void questions_4(void)
{
	questions_at("127.0.0.1");
}

static void questions_6(void)
{
	questions_at("::1");
}

static void bad_answers(void)
{
	static const struct { const char *answer, *why; } bad[] = {
		{ "{\"error\":\"not a request\"}", "refuses \"status\": not a request" },
		{ "hello", "is no vmfastmig-responder" }, { "", "is no vmfastmig-responder" },
		{ "[1]", "is no vmfastmig-responder" }, { "{\"a\":1", "is no vmfastmig-responder" },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		guest = (struct respondent){ .client = -1, .status = bad[i].answer };
		guest_up("127.0.0.1");
		refused(bad[i].why);
		guest_down();
	}
}

int main(void)
{
	static const struct test tests[] = {
		{ "UDP: losses, each", udp_losses_4 },
		{ "UDP: losses, each, IPv6", udp_losses_6 },
		{ "TCP: losses, each", tcp_losses_4 },
		{ "TCP: losses, each, IPv6", tcp_losses_6 },
		{ "UDP: out of order, twice, garbage", udp_disorder_4 },
		{ "UDP: out of order, twice, garbage, IPv6", udp_disorder_6 },
		{ "TCP: out of order, twice, garbage", tcp_disorder_4 },
		{ "TCP: out of order, twice, garbage, IPv6", tcp_disorder_6 },
		{ "UDP: a guest that pauses", udp_pause_4 },
		{ "UDP: a guest that pauses, IPv6", udp_pause_6 },
		{ "TCP: a guest that pauses", tcp_pause_4 },
		{ "TCP: a guest that pauses, IPv6", tcp_pause_6 },
		{ "UDP: a responder that restarts", udp_restart_4 },
		{ "UDP: a responder that restarts, IPv6", udp_restart_6 },
		{ "TCP: a responder that restarts", tcp_restart_4 },
		{ "TCP: a responder that restarts, IPv6", tcp_restart_6 },
		{ "TCP: more than a connection holds", full_connection },
		{ "TCP: a reset while it is full", full_and_reset },
		{ "a pause of its own", own_pause },
		{ "the end waits for replies", waits_for_replies },
		{ "an older guest", older_guest },
		{ "UDP: a host by its name", udp_by_name },
		{ "TCP: a host by its name", tcp_by_name },
		{ "UDP: nobody at the first address", udp_second_address },
		{ "TCP: nobody at the first address", tcp_second_address },
		{ "no room for more samples", no_room },
		{ "nobody there, or somebody else", nobody_there },
		{ "what it cannot be started with", bad_options },
		{ "questions", questions_4 },
		{ "questions, IPv6", questions_6 },
		{ "bad answers", bad_answers },
	};

	return TAP_RUN(tests);
}

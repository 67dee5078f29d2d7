// SPDX-License-Identifier: GPL-2.0-only
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "measured.h"

#define START_NS	9000000000000000ull
#define MS		1000000ull
#define STOP_MS		11000.4
#define RESUME_MS	11176.9
#define HEARD_MS	11180.7

static struct sample udp_samples[20000], tcp_samples[2000];
static struct series udp = { .samples = udp_samples }, tcp = { .samples = tcp_samples };

/* The same ones in every run. */
static double chance(void)
{
	static unsigned long long state = 1;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(state >> 40) / (1 << 24);
}

static double latency_ms(double sent_ms)
{
	bool migrates = sent_ms > 8000 && sent_ms < 11400;

	return 0.15 + (migrates ? 0.25 : 0.05) * -log(1 - chance());
}

/* A guest that works, less so while it migrates, and not while it is gone. */
static struct sample answered(double sent_ms, double reply_ms)
{
	double gone_ms = fmin(fmax(reply_ms - STOP_MS, 0), RESUME_MS - STOP_MS);
	double slow_ms = fmin(fmax(reply_ms - 8000, 0), STOP_MS - 8000);

	return (struct sample){ .sent_ns = START_NS + sent_ms * MS,
				.reply_ns = START_NS + reply_ms * MS,
				.guest_us = 5000000 + (reply_ms - gone_ms) * 1000,
				.work = 100 * (reply_ms - gone_ms - 0.3 * slow_ms) };
}

static void play_udp(void)
{
	double sent_ms, reply_ms;
	size_t i;

	for (i = 0; i < 20000; i++) {
		sent_ms = i + 0.02 * chance();
		reply_ms = sent_ms + latency_ms(sent_ms);
		udp_samples[i] = answered(sent_ms, reply_ms);
		if (reply_ms > STOP_MS && sent_ms < HEARD_MS - 6)
			udp_samples[i].reply_ns = 0;
		else if (reply_ms > STOP_MS && sent_ms < HEARD_MS)
			udp_samples[i] = answered(sent_ms, HEARD_MS + latency_ms(sent_ms));
		if (chance() < 0.0002)
			udp_samples[i].reply_ns = 0;
	}
	atomic_store(&udp.count, 20000);
}

/* What was sent meanwhile comes all at once, when TCP has sent it again. */
static void play_tcp(void)
{
	double sent_ms, reply_ms;
	size_t i;

	for (i = 0; i < 2000; i++) {
		sent_ms = i * 10 + 0.1 * chance();
		reply_ms = sent_ms + latency_ms(sent_ms) * 1.3;
		if (reply_ms > STOP_MS && sent_ms < 11208)
			reply_ms = fmax(reply_ms, 11208 + 0.01 * (i % 100));
		tcp_samples[i] = answered(sent_ms, reply_ms);
	}
	atomic_store(&tcp.count, 2000);
}

static json_t *span(double from_ms, double to_ms)
{
	return json_pack("{s:I,s:I,s:f}", "from_ns", (json_int_t)(START_NS + from_ms * MS),
			 "to_ns", (json_int_t)(START_NS + to_ms * MS), "ms", to_ms - from_ms);
}

static json_t *part(const char *name, double from_ms, double to_ms)
{
	json_t *one = span(from_ms, to_ms);

	json_object_set_new(one, "name", json_string(name));
	json_object_set_new(one, "attributed", json_boolean(!strchr(name, ',')));
	return one;
}

static json_t *downtime(void)
{
	return json_pack("{s:[o,o,o,o,o,o,o],s:f,s:f,s:f}", "parts",
			 part("stop and drain", STOP_MS, 11004.1),
			 part("last round", 11004.1, 11062.8), part("device save", 11062.8, 11085),
			 part("transfer", 11085, 11097.4), part("device load", 11097.4, 11151.2),
			 part("hand-over and resume", 11151.2, RESUME_MS),
			 part("network", RESUME_MS, HEARD_MS),
			 "total_ms", HEARD_MS - STOP_MS, "client_ms", 180.8, "error_ms", 0.05);
}

static json_t *stats(int sent, int lost, double p50, double most)
{
	return json_pack("{s:i,s:i,s:i,s:i,s:{s:f,s:f,s:f,s:f,s:f},s:f}", "sent", sent, "received",
			 sent - lost, "lost", lost, "reordered", 0, "latency_ms", "min", 0.151,
			 "p50", p50, "p95", p50 * 2, "p99", p50 * 3, "max", most, "work_per_s", 1e5);
}

static json_t *probe(int hz, double from_ms, double to_ms, int lost)
{
	return json_pack("{s:i,s:f,s:o,s:[o],s:o,s:o,s:o,s:f}", "rate_hz", hz, "gap_threshold_ms",
			 20.0, "longest_gap", span(from_ms, to_ms), "gaps", span(from_ms, to_ms),
			 "before", stats(8 * hz, 1, 0.185, 0.7), "during",
			 stats(3.4 * hz, lost, 0.33, 6.2), "after", stats(8.6 * hz, 2, 0.186, 0.8),
			 "own_gap_ms", 0.31);
}

static json_t *rounds(void)
{
	static const int pages[] = { 524288, 81920, 20480, 5120, 1200 };
	json_t *list = json_array();
	int i;

	for (i = 0; i < 5; i++)
		json_array_append_new(list, json_pack(
			"{s:i,s:i,s:I,s:f,s:i,s:i,s:i}", "number", i + 1, "pages", pages[i], "bytes",
			(json_int_t)pages[i] * 4096, "ms", pages[i] / 220.0, "protect_us",
			pages[i] / 50, "wait_us", 12, "dirty_pages", pages[i < 4 ? i + 1 : 4]));
	return json_pack("{s:o}", "rounds", list);
}

static json_t *guest(void)
{
	return json_pack("{s:f,s:f,s:f,s:i,s:{s:f,s:f,s:f,s:f},s:{s:[i,i,i,i],s:[i,i,i,i],s:[i,i,i,i],s:[i,i,i,i]}}",
			 "clock_stop_ms", 176.5, "longest_jump_ms", 3.125, "longest_stall_ms", 2.0,
			 "errors", 0, "throughput", "before", 1e5, "during", 66100.0, "after", 1e5,
			 "ratio", 0.661, "write_latency", "bound_ns", 250, 1000, 16000, 64000,
			 "before", 99990, 10, 0, 0, "during", 99000, 100, 900, 0, "after", 1000, 0,
			 0, 5);
}

static json_t *marks(void)
{
	return json_pack("[{s:s,s:s,s:I,s:i},{s:s,s:s,s:I,s:i}]", "name", "stop", "where", "source",
			 "ns", (json_int_t)(START_NS + STOP_MS * MS), "error_ns", 50000, "name",
			 "resume", "where", "destination", "ns",
			 (json_int_t)(START_NS + RESUME_MS * MS), "error_ns", 40000);
}

json_t *measured(const struct series *series[2])
{
	json_t *result = json_pack("{s:b,s:s,s:b,s:I,s:I,s:I}", "partial", 0, "uri",
				   "rdmafast:10.0.0.2:7471", "observe", 0, "start_ns",
				   (json_int_t)START_NS, "migrate_ns",
				   (json_int_t)(START_NS + 8000 * MS), "end_ns",
				   (json_int_t)(START_NS + 11400 * MS));

	play_udp();
	play_tcp();
	series[0] = &udp;
	series[1] = &tcp;
	json_object_set_new(result, "clock", json_pack(
		"{s:{s:i,s:i},s:{s:i,s:i}}", "source", "offset_ns", 12345000, "error_ns", 50000,
		"destination", "offset_ns", -3210400, "error_ns", 40000));
	json_object_set_new(result, "client", json_pack(
		"{s:o,s:o}", "udp", probe(1000, 10999.9, HEARD_MS, 175), "tcp",
		probe(100, 11000.4, 11208, 0)));
	json_object_set_new(result, "guest", guest());
	json_object_set_new(result, "qemu", json_pack("{s:n,s:n,s:i,s:i}", "source", "destination",
						      "downtime_ms", 177, "total_ms", 3391));
	json_object_set_new(result, "module", rounds());
	json_object_set_new(result, "downtime", downtime());
	json_object_set_new(result, "marks", marks());
	json_object_set_new(result, "cpu_s", json_pack("{s:f,s:f}", "source", 2.11, "sink", 1.4));
	json_object_set_new(result, "pinned_bytes", json_pack("{s:I,s:I}", "source",
							      (json_int_t)0, "sink",
							      (json_int_t)4 << 30));
	json_object_set_new(result, "warnings", json_pack("[s]", "the UDP probe slept"));
	return result;
}

void measured_rename(json_t *value, const char *text)
{
	const char *key;
	json_t *one;
	size_t i;

	if (json_is_string(value))
		json_string_set(value, text);
	json_object_foreach(value, key, one)
		measured_rename(one, text);
	json_array_foreach(value, i, one)
		measured_rename(one, text);
}

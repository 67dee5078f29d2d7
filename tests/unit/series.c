// SPDX-License-Identifier: GPL-2.0-only
/* What is told of a probe's samples: counts, order, latencies, gaps, the guest's clock. */
#include <stdlib.h>

#include "downtime/series.h"
#include "tap.h"

#define MS	1000000ULL
#define START	(5000 * MS)	/* of the observer's clock */

static const struct series_window ALL = { 0, UINT64_MAX };

static void open_it(struct series *series, size_t room)
{
	struct fault fault;

	if (series_open(series, room, &fault))
		tap_give_up(fault.text);
}

/* @count requests, one a millisecond. */
static void send_all(struct series *series, size_t count)
{
	size_t i;

	open_it(series, count);
	for (i = 0; i < count; i++)
		CHECK(series_add(series, START + i * MS) == (ssize_t)i);
}

static enum series_reply reply(struct series *series, uint64_t seq, uint64_t reply_ns)
{
	struct sample sample = { .sent_ns = 1, .reply_ns = reply_ns, .arrival = 77 };

	return series_take(series, seq, &sample);
}

static json_int_t count_of(const struct series *series, struct series_window window,
			   const char *key)
{
	json_t *stats = series_stats(series, window);
	json_int_t count = json_integer_value(json_object_get(stats, key));

	CHECK(json_is_integer(json_object_get(stats, key)));
	json_decref(stats);
	return count;
}

/* -1: null */
static double latency_of(const struct series *series, const char *key)
{
	json_t *stats = series_stats(series, ALL), *latency = json_object_get(stats, "latency_ms");
	double ms = json_is_null(latency) ? -1 : json_real_value(json_object_get(latency, key));

	json_decref(stats);
	return ms;
}

static double work_of(const struct series *series, struct series_window window)
{
	json_t *stats = series_stats(series, window), *work = json_object_get(stats, "work_per_s");
	double rate = json_is_null(work) ? -1 : json_real_value(work);

	json_decref(stats);
	return rate;
}

static void empty(void)
{
	struct series series;
	json_t *gaps;

	open_it(&series, 4);
	CHECK(!count_of(&series, ALL, "sent") && !count_of(&series, ALL, "received"));
	CHECK(latency_of(&series, "p50") == -1 && work_of(&series, ALL) == -1);
	gaps = series_gaps(&series, 0, START);
	CHECK(json_is_array(gaps) && !json_array_size(gaps));
	json_decref(gaps);
	CHECK(!series_longest_gap(&series, SERIES_ALL, 0).to_ns && !series_longest_gap(&series, SERIES_ALL, 0).from_ns);
	CHECK(!series_last_reply_before(&series, UINT64_MAX));
	CHECK(!series_first_reply_after(&series, 0));
	CHECK(series_clock_stop_ms(&series, START, START + MS) < 0);
	series_close(&series);
	series_close(&series);
}

static void taking(void)
{
	struct series series;

	send_all(&series, 3);
	CHECK(series_add(&series, START) == -1 && series.count == 3);
	CHECK(reply(&series, 3, START) == SERIES_UNKNOWN);
	CHECK(reply(&series, UINT64_MAX, START) == SERIES_UNKNOWN);
	CHECK(reply(&series, 2, START + 5 * MS) == SERIES_FIRST);
	CHECK(reply(&series, 2, START + 6 * MS) == SERIES_AGAIN);
	CHECK(reply(&series, 0, START - MS) == SERIES_FIRST);
	CHECK(series.samples[2].reply_ns == START + 5 * MS && series.samples[2].arrival == 1);
	CHECK(series.samples[2].sent_ns == START + 2 * MS);
	CHECK(series.samples[0].reply_ns == START && series.samples[0].arrival == 2);
	CHECK(!series.samples[1].reply_ns && !series.samples[1].arrival && series.arrivals == 2);
	series_close(&series);
}

/* A day's room costs no more memory than what is used of it. */
static void much_room(void)
{
	struct series series;
	struct fault fault;

	open_it(&series, 1 << 27);
	CHECK(!series_add(&series, START) && series_add(&series, START) == 1);
	CHECK(reply(&series, 1, START) == SERIES_FIRST);
	CHECK(series_longest_gap(&series, SERIES_ALL, 0).to_ns == 0);
	series_close(&series);
	CHECK(series_open(&series, 1ULL << 50, &fault));
	CHECK_HAS(fault.text, "address space");
}

static void windows(void)
{
	struct series_window window = { START + 2 * MS, START + 5 * MS };
	struct series_window between = { START + 2 * MS + 1, START + 3 * MS };
	struct series series;

	send_all(&series, 10);
	reply(&series, 1, START + 100 * MS);
	reply(&series, 2, START + 101 * MS);
	reply(&series, 4, START + 102 * MS);
	reply(&series, 5, START + 103 * MS);
	CHECK(count_of(&series, ALL, "sent") == 10 && count_of(&series, ALL, "lost") == 6);
	CHECK(count_of(&series, window, "sent") == 3 && count_of(&series, window, "lost") == 1);
	CHECK(count_of(&series, window, "received") == 2);
	CHECK(count_of(&series, between, "sent") == 0);
	window = (struct series_window){ START + 5 * MS, START + 2 * MS };
	CHECK(count_of(&series, window, "sent") == 0);
	series_close(&series);
}

/* Replies in the order of @seqs, which -1 ends; how many of them were reordered. */
static json_int_t reordered(struct series_window window, const int *seqs)
{
	struct series series;
	json_int_t count;
	int i;

	send_all(&series, 10);
	for (i = 0; seqs[i] >= 0; i++)
		CHECK(reply(&series, seqs[i], START + (100 + i) * MS) == SERIES_FIRST);
	count = count_of(&series, window, "reordered");
	series_close(&series);
	return count;
}

#define ORDER(...) ((const int []){ __VA_ARGS__, -1 })

static void reordering(void)
{
	struct series_window first_five = { START, START + 5 * MS };
	struct series_window last_five = { START + 5 * MS, UINT64_MAX };

	CHECK(reordered(ALL, ORDER(0, 1, 2, 3, 4)) == 0);
	CHECK(reordered(ALL, ORDER(0, 5, 9)) == 0);
	CHECK(reordered(ALL, ORDER(1, 0)) == 1);
	CHECK(reordered(ALL, ORDER(1, 2, 3, 4, 0)) == 1);
	CHECK(reordered(ALL, ORDER(4, 0, 1, 2, 3)) == 4);
	CHECK(reordered(ALL, ORDER(3, 2, 1, 0)) == 3);
	CHECK(reordered(ALL, ORDER(0, 2, 1, 4, 3)) == 2);
	/* That of 4 came after that of 7, which was not sent in the window. */
	CHECK(reordered(first_five, ORDER(0, 7, 4)) == 1);
	CHECK(reordered(last_five, ORDER(0, 7, 4)) == 0);
	CHECK(reordered(first_five, ORDER(0, 9, 8)) == 0);
}

static void latencies(void)
{
	struct series series;
	int i;

	send_all(&series, 200);
	for (i = 0; i < 100; i++)	/* 37 is coprime to 100: 1 to 100 ms in some order */
		reply(&series, i, START + (i + i * 37 % 100 + 1) * MS);
	CHECK(latency_of(&series, "min") == 1 && latency_of(&series, "max") == 100);
	CHECK(latency_of(&series, "p50") == 50 && latency_of(&series, "p95") == 95);
	CHECK(latency_of(&series, "p99") == 99);
	series_close(&series);

	send_all(&series, 2);
	reply(&series, 1, START + 8 * MS);
	CHECK(latency_of(&series, "min") == 7 && latency_of(&series, "p50") == 7);
	CHECK(latency_of(&series, "p99") == 7 && latency_of(&series, "max") == 7);
	series_close(&series);
}

/* Each reply 2 ms later; @work of the first and the last but one. */
static void work_between(struct series *series, uint64_t first, uint64_t last)
{
	struct sample sample = { 0 };
	int i;

	send_all(series, 102);
	for (i = 1; i < 101; i++) {
		sample.reply_ns = START + (i + 2) * MS;
		sample.work = i == 1 ? first : i == 100 ? last : 0;
		series_take(series, i, &sample);
	}
}

static void work(void)
{
	struct series_window one = { START + MS, START + 2 * MS };
	struct series series;

	work_between(&series, 1000, 1000 + 990);
	CHECK(work_of(&series, ALL) == 10000);	/* 990 in 99 ms */
	CHECK(work_of(&series, one) == -1);
	series_close(&series);
	work_between(&series, 7, 7);
	CHECK(work_of(&series, ALL) == 0);
	series_close(&series);
	work_between(&series, 1000, 999);
	CHECK(work_of(&series, ALL) == -1);
	series_close(&series);
	/* A stop of the guest is time, too: by its own clock it worked as ever. */
	send_all(&series, 2);
	series_take(&series, 0, &(struct sample){ .reply_ns = START, .guest_us = 1, .work = 1 });
	series_take(&series, 1, &(struct sample){ .reply_ns = START + 500 * MS, .guest_us = 2,
						  .work = 2 });
	CHECK(work_of(&series, ALL) == 2);
	series_close(&series);
}

static bool gap_is(const json_t *gaps, size_t which, uint64_t from_ms, uint64_t to_ms)
{
	const json_t *gap = json_array_get(gaps, which);
	uint64_t from_ns = json_integer_value(json_object_get(gap, "from_ns"));
	uint64_t to_ns = json_integer_value(json_object_get(gap, "to_ns"));

	return from_ns == START + from_ms * MS && to_ns == START + to_ms * MS &&
	       json_real_value(json_object_get(gap, "ms")) == to_ms - from_ms;
}

static void gaps(void)
{
	static const struct { int seq, reply_ms; } replies[] = {
		{ 0, 1 }, { 1, 21 }, { 2, 60 }, { 3, 50 }, { 5, 61 }, { 6, 100 }, { 7, 120 },
	};
	struct series_window longest;
	struct series series;
	json_t *found;
	size_t i;

	send_all(&series, 10);
	for (i = 0; i < sizeof(replies) / sizeof(*replies); i++)
		reply(&series, replies[i].seq, START + replies[i].reply_ms * MS);

	found = series_gaps(&series, 20 * MS, 0);
	CHECK(json_array_size(found) == 4);
	CHECK(gap_is(found, 0, 1, 21) && gap_is(found, 1, 21, 50) && gap_is(found, 2, 61, 100));
	CHECK(gap_is(found, 3, 100, 120));
	json_decref(found);

	found = series_gaps(&series, 20 * MS + 1, START + 139 * MS);
	CHECK(json_array_size(found) == 2 && gap_is(found, 0, 21, 50) && gap_is(found, 1, 61, 100));
	json_decref(found);
	found = series_gaps(&series, 30 * MS, START + 150 * MS);
	CHECK(json_array_size(found) == 2 && gap_is(found, 1, 120, 150));
	json_decref(found);

	longest = series_longest_gap(&series, SERIES_ALL, 0);
	CHECK(longest.from_ns == START + 61 * MS && longest.to_ns == START + 100 * MS);
	longest = series_longest_gap(&series, (struct series_window){ START + 20 * MS, START + 61 * MS },
				     0);
	CHECK(longest.from_ns == START + 21 * MS && longest.to_ns == START + 50 * MS);
	longest = series_longest_gap(&series, SERIES_ALL, START + 160 * MS);
	CHECK(longest.from_ns == START + 120 * MS && longest.to_ns == START + 160 * MS);
	longest = series_longest_gap(&series, (struct series_window){ START + 130 * MS, UINT64_MAX }, 0);
	CHECK(!longest.to_ns);
	CHECK(series_last_reply_before(&series, START + 61 * MS) == START + 60 * MS);
	CHECK(series_last_reply_before(&series, START + MS) == 0);
	CHECK(series_first_reply_after(&series, START + 61 * MS) == START + 61 * MS);
	CHECK(series_first_reply_after(&series, START + 22 * MS) == START + 50 * MS);
	CHECK(series_first_reply_after(&series, START + 121 * MS) == 0);
	series_close(&series);
}

/*
 * Four seconds of a guest whose clock stands still from START + 2000 ms for @stop_ms,
 * and which is not heard up to @heard_ms. The network takes 1 to 13 ms.
 */
static void stopped_guest(struct series *series, unsigned int stop_ms, unsigned int heard_ms)
{
	struct sample sample = { 0 };
	unsigned int i;

	send_all(series, 4000);
	for (i = 0; i < 4000; i++) {
		if (i >= 2000 && i < heard_ms)
			continue;
		sample.reply_ns = START + (i + 1 + i * 7 % 13) * MS;
		sample.guest_us = 1000000 + 1000 * (i - (i < 2000 ? 0 : stop_ms));
		series_take(series, i, &sample);
	}
}

/* The outage is between the two replies, though nothing that was sent in it was answered. */
static void work_over_an_outage(void)
{
	struct sample sample = { 0 };
	struct series series;
	unsigned int i;

	send_all(&series, 4000);
	for (i = 0; i < 4000; i++) {
		if (i >= 2000 && i < 3000)
			continue;
		sample.reply_ns = START + (i + 1) * MS;
		sample.work = 10 * (i < 2000 ? i : i - 1000);
		series_take(&series, i, &sample);
	}
	CHECK(series_work_per_s(&series, START + 1 * MS, START + 2000 * MS) == 10000);
	CHECK(series_work_per_s(&series, START + 1001 * MS, START + 3001 * MS) == 5000);
	CHECK(series_work_per_s(&series, START + 2000 * MS, START + 2000 * MS) < 0);
	CHECK(series_work_per_s(&series, START + 2500 * MS, START + 3001 * MS) < 0);
	series_close(&series);
}

static void clock_stop(void)
{
	struct series series;

	stopped_guest(&series, 300, 2300);
	CHECK(series_clock_stop_ms(&series, START + 2000 * MS, START + 2300 * MS) == 300);
	CHECK(series_clock_stop_ms(&series, START + 1000 * MS, START + 1500 * MS) == 0);
	CHECK(series_clock_stop_ms(&series, START, START + 2300 * MS) < 0);
	CHECK(series_clock_stop_ms(&series, START + 2000 * MS, START + 4100 * MS) < 0);
	CHECK(series_clock_stop_ms(&series, START + 2300 * MS, START + 2000 * MS) < 0);
	series_close(&series);
	/* It runs again, and the network does not know where. */
	stopped_guest(&series, 300, 3500);
	CHECK(series_clock_stop_ms(&series, START + 2000 * MS, START + 2300 * MS) == 300);
	series_close(&series);
}

/* A guest may say anything. */
static void absurd_clock(void)
{
	static const uint64_t times[] = { 0, 1, 1ULL << 53, 1ULL << 63, UINT64_MAX };
	struct series series;
	size_t i, j;

	for (i = 0; i < 5; i++)
		for (j = 0; j < 5; j++) {
			struct sample before = { .reply_ns = START + MS, .guest_us = times[i] };
			struct sample after = { .reply_ns = START + 9 * MS, .guest_us = times[j] };

			send_all(&series, 2);
			series_take(&series, 0, &before);
			series_take(&series, 1, &after);
			CHECK(series_clock_stop_ms(&series, START + MS, START + 9 * MS) >= 0);
			series_close(&series);
		}
}

int main(void)
{
	static const struct test tests[] = {
		{ "a series without samples", empty },
		{ "a reply is taken once", taking },
		{ "much room", much_room },
		{ "a window's edges", windows },
		{ "reordered as RFC 4737 has it", reordering },
		{ "latencies, by nearest rank", latencies },
		{ "the rate of work", work },
		{ "gaps", gaps },
		{ "work over an outage", work_over_an_outage },
		{ "the guest's clock stood still", clock_stop },
		{ "an absurd clock", absurd_clock },
	};

	return TAP_RUN(tests);
}

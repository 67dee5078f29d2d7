// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "series.h"

#define SECOND_NS 1000000000ULL

int series_open(struct series *series, size_t room, struct fault *fault)
{
	size_t bytes = room * sizeof(*series->samples);
	void *samples = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	memset(series, 0, sizeof(*series));
	if (samples == MAP_FAILED)
		return fail(fault, "no address space for %zu samples: %s", room, strerror(errno));
	madvise(samples, bytes, MADV_NOHUGEPAGE);	/* it takes long to clear one */
	series->samples = samples;
	series->room = room;
	return 0;
}

void series_close(struct series *series)
{
	if (series->samples)
		munmap(series->samples, series->room * sizeof(*series->samples));
	memset(series, 0, sizeof(*series));
}

ssize_t series_add(struct series *series, uint64_t sent_ns)
{
	size_t seq = atomic_load(&series->count);

	if (seq == series->room)
		return -1;
	series->samples[seq] = (struct sample){ .sent_ns = sent_ns };
	atomic_store(&series->count, seq + 1);
	return seq;
}

enum series_reply series_take(struct series *series, uint64_t seq, const struct sample *reply)
{
	struct sample *sample;
	uint64_t sent_ns;

	if (seq >= atomic_load(&series->count))
		return SERIES_UNKNOWN;
	sample = &series->samples[seq];
	if (sample->reply_ns)
		return SERIES_AGAIN;
	sent_ns = sample->sent_ns;
	*sample = *reply;
	sample->sent_ns = sent_ns;
	sample->reply_ns = reply->reply_ns < sent_ns ? sent_ns : reply->reply_ns;
	sample->arrival = ++series->arrivals;
	return SERIES_FIRST;
}

/* The first sample sent at @ns or later; the end where there is none. */
static const struct sample *sent_from(const struct series *series, uint64_t ns)
{
	const struct sample *at = series->samples;
	size_t left = series->count;

	while (left) {
		size_t half = left / 2;

		if (at[half].sent_ns < ns) {
			at += half + 1;
			left -= half + 1;
		} else {
			left = half;
		}
	}
	return at;
}

struct span {
	const struct sample *from, *to;		/* to is not in it */
};

static struct span span_of(const struct series *series, struct series_window window)
{
	struct span span = { sent_from(series, window.from_ns), sent_from(series, window.to_ns) };

	if (window.to_ns == UINT64_MAX)
		span.to = series->samples + series->count;
	if (span.to < span.from)
		span.to = span.from;
	return span;
}

/* A later request's reply may have come earlier wherever the window ends. */
static size_t count_reordered(const struct series *series, struct span span)
{
	const struct sample *at = series->samples + series->count;
	uint32_t earliest = UINT32_MAX;
	size_t reordered = 0;

	while (at-- > span.from) {
		if (!at->arrival)
			continue;
		if (at->arrival > earliest)
			reordered += at < span.to;
		else
			earliest = at->arrival;
	}
	return reordered;
}

static int by_size(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return (one > other) - (one < other);
}

static double percentile_ms(const uint64_t *sorted, size_t count, unsigned int percent)
{
	return sorted[(count * percent + 99) / 100 - 1] / 1e6;
}

/* Of the sorted latencies, in nanoseconds. */
static json_t *latency_json(const uint64_t *sorted, size_t count)
{
	return !count ? json_null() :
	       json_pack("{s:f,s:f,s:f,s:f,s:f}", "min", sorted[0] / 1e6,
			 "p50", percentile_ms(sorted, count, 50),
			 "p95", percentile_ms(sorted, count, 95),
			 "p99", percentile_ms(sorted, count, 99), "max", sorted[count - 1] / 1e6);
}

static json_t *work_json(struct span span)
{
	const struct sample *first = span.from, *last = span.to;

	while (first < last && !first->reply_ns)
		first++;
	while (last > first && !last[-1].reply_ns)
		last--;
	if (last-- == first || last->reply_ns <= first->reply_ns || last->work < first->work)
		return json_null();
	return json_real((last->work - first->work) * 1e9 / (last->reply_ns - first->reply_ns));
}

json_t *series_stats(const struct series *series, struct series_window window)
{
	struct span span = span_of(series, window);
	size_t sent = span.to - span.from, received = 0;
	uint64_t *latencies = malloc(sent * sizeof(*latencies) + 1);
	const struct sample *at;
	json_t *stats;

	if (!latencies)
		return NULL;
	for (at = span.from; at < span.to; at++)
		if (at->reply_ns)
			latencies[received++] = at->reply_ns - at->sent_ns;
	qsort(latencies, received, sizeof(*latencies), by_size);
	stats = json_pack("{s:I,s:I,s:I,s:I,s:o,s:o}", "sent", (json_int_t)sent,
			  "received", (json_int_t)received, "lost", (json_int_t)(sent - received),
			  "reordered", (json_int_t)count_reordered(series, span),
			  "latency_ms", latency_json(latencies, received),
			  "work_per_s", work_json(span));
	free(latencies);
	return stats;
}

/*
 * When replies came, in order of time, and then @until_ns if it is later (the caller's):
 * between each and the next is a gap. NULL: no memory.
 */
static uint64_t *times_of(const struct series *series, uint64_t until_ns, size_t *count)
{
	size_t i, sent = series->count;
	uint64_t *times = malloc((sent + 1) * sizeof(*times));
	bool sorted = true;

	*count = 0;
	for (i = 0; i < sent && times; i++) {
		if (!series->samples[i].reply_ns)
			continue;
		times[*count] = series->samples[i].reply_ns;
		sorted = sorted && (!*count || times[*count - 1] <= times[*count]);
		++*count;
	}
	if (!sorted)
		qsort(times, *count, sizeof(*times), by_size);
	if (*count && until_ns > times[*count - 1])
		times[(*count)++] = until_ns;
	return times;
}

static void add_gap(json_t *gaps, uint64_t threshold_ns, uint64_t from_ns, uint64_t to_ns)
{
	if (to_ns >= from_ns && to_ns - from_ns >= threshold_ns)
		json_array_append_new(gaps, json_pack("{s:I,s:I,s:f}", "from_ns",
						      (json_int_t)from_ns, "to_ns", (json_int_t)to_ns,
						      "ms", (to_ns - from_ns) / 1e6));
}

json_t *series_gaps(const struct series *series, uint64_t threshold_ns, uint64_t until_ns)
{
	size_t i, count;
	uint64_t *times = times_of(series, until_ns, &count);
	json_t *gaps = times ? json_array() : NULL;

	for (i = 1; i < count; i++)
		add_gap(gaps, threshold_ns, times[i - 1], times[i]);
	free(times);
	return gaps;
}

static void keep_longer(struct series_window *longest, struct series_window within,
			uint64_t from_ns, uint64_t to_ns)
{
	if (to_ns <= within.from_ns || from_ns >= within.to_ns)
		return;
	if (!longest->to_ns || to_ns - from_ns > longest->to_ns - longest->from_ns)
		*longest = (struct series_window){ from_ns, to_ns };
}

struct series_window series_longest_gap(const struct series *series, struct series_window within,
					uint64_t until_ns)
{
	size_t i, count;
	uint64_t *times = times_of(series, until_ns, &count);
	struct series_window longest = { 0, 0 };

	for (i = 1; i < count; i++)
		keep_longer(&longest, within, times[i - 1], times[i]);
	free(times);
	return longest;
}

uint64_t series_last_reply_before(const struct series *series, uint64_t ns)
{
	const struct sample *at = series->samples, *end = at + series->count;
	uint64_t last = 0;

	for (; at < end; at++)
		if (at->reply_ns < ns && at->reply_ns > last)
			last = at->reply_ns;
	return last;
}

uint64_t series_first_reply_after(const struct series *series, uint64_t ns)
{
	const struct sample *at = series->samples, *end = at + series->count;
	uint64_t first = 0;

	for (; at < end; at++)
		if (at->reply_ns && at->reply_ns >= ns && (!first || at->reply_ns < first))
			first = at->reply_ns;
	return first;
}

static const struct sample *reply_at(const struct series *series, uint64_t ns)
{
	const struct sample *at = series->samples, *end = at + series->count;

	while (at < end && at->reply_ns != ns)
		at++;
	return at < end ? at : NULL;
}

double series_work_per_s(const struct series *series, uint64_t from_ns, uint64_t to_ns)
{
	const struct sample *from = reply_at(series, from_ns), *to = reply_at(series, to_ns);

	return !from || !to || to_ns <= from_ns || to->work < from->work ? -1 :
	       (to->work - from->work) * 1e9 / (to_ns - from_ns);
}

/*
 * How far the observer's clock is ahead of the guest's, by the replies from @from_ns to
 * @to_ns, both in it: the one that queued least says the least. There must be one. The
 * guest may say anything; a double does not overflow.
 */
static double ahead_ns(const struct series *series, uint64_t from_ns, uint64_t to_ns)
{
	const struct sample *at = series->samples, *end = at + series->count;
	double least = INFINITY;

	for (; at < end; at++) {
		double ahead = (int64_t)(at->reply_ns - at->guest_us * 1000);

		if (at->reply_ns && at->reply_ns >= from_ns && at->reply_ns <= to_ns && ahead < least)
			least = ahead;
	}
	return least;
}

double series_clock_stop_ms(const struct series *series, uint64_t stopped_ns, uint64_t resumed_ns)
{
	uint64_t last_ns = series_last_reply_before(series, stopped_ns + 1);
	uint64_t first_ns = series_first_reply_after(series, resumed_ns);
	double step_ns;

	if (!last_ns || !first_ns || resumed_ns < stopped_ns)
		return -1;
	step_ns = ahead_ns(series, first_ns, first_ns + SECOND_NS) -
		  ahead_ns(series, last_ns > SECOND_NS ? last_ns - SECOND_NS : 0, last_ns);
	return step_ns > 0 ? step_ns / 1e6 : 0;
}

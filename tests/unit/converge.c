// SPDX-License-Identifier: GPL-2.0-only
/* When a migration switches over, goes on, or gives up. */
#include <stddef.h>

#include "converge.h"
#include "tap.h"

#define MIB	(1ULL << 20)
#define SECOND	1000000000ULL

/* A guest that dirties @dirty_rate, or what it is held to, over a link of @link_rate, bytes/s. */
static enum converge_verdict run(struct converge *converge, uint64_t ram_bytes, uint64_t link_rate,
				 uint64_t dirty_rate)
{
	enum converge_verdict verdict = CONVERGE_ROUND;
	uint64_t left = ram_bytes;

	while (verdict == CONVERGE_ROUND && converge->rounds < 20000) {
		uint64_t time_ns = (uint64_t)((double)left * SECOND / link_rate);
		uint64_t pace = converge->pace && converge->pace < dirty_rate ? converge->pace :
				dirty_rate;
		uint64_t dirty = (uint64_t)((double)pace * time_ns / SECOND);

		dirty = dirty < ram_bytes ? dirty : ram_bytes;
		verdict = converge_round(converge, left, time_ns, dirty, 0);
		left = dirty;
	}
	return verdict;
}

static void below_link_rate(void)
{
	unsigned int percent;

	for (percent = 0; percent <= 85; percent += 5) {
		struct converge converge;

		converge_init(&converge, 300, 100, 0);
		CHECK(run(&converge, 4096 * MIB, 1000 * MIB, percent * 10 * MIB) ==
		      CONVERGE_SWITCH);
		CHECK(converge.expected_ms <= 150);
		CHECK(converge.last_dirty_bytes <= 150 * MIB);
	}
}

static void above_link_rate(void)
{
	unsigned int percent;

	for (percent = 100; percent <= 500; percent += 50) {
		struct converge converge;

		converge_init(&converge, 300, 1000, 0);
		CHECK(run(&converge, 4096 * MIB, 1000 * MIB, percent * 10 * MIB) == CONVERGE_NEVER);
		CHECK(converge.rounds < 20);
		CHECK(converge.stalled == 6);
	}
}

/* Slowed down it converges at any rate; as much as it takes, and no more than allowed. */
static void slowed_down(void)
{
	unsigned int percent;

	for (percent = 100; percent <= 1000; percent += 100) {
		struct converge converge;

		converge_init(&converge, 300, 30, 99);
		CHECK(run(&converge, 4096 * MIB, 1000 * MIB, percent * 10 * MIB) == CONVERGE_SWITCH);
		CHECK(converge.pace == 500 * MIB);
	}
}

static void slowed_down_not_enough(void)
{
	unsigned int most;

	for (most = 1; most < 80; most += 13) {
		struct converge converge;

		converge_init(&converge, 300, 1000, most);
		converge_sample(&converge, 0, SECOND);
		converge_sample(&converge, 5000 * MIB, 2 * SECOND);
		CHECK(run(&converge, 65536 * MIB, 1000 * MIB, 5000 * MIB) == CONVERGE_NEVER);
		CHECK(converge.pace == converge.free_rate * (100 - most) / 100);
		CHECK(converge.rounds < 20);
	}
}

/* One that dirties less than the link carries is left alone. */
static void not_slowed_down(void)
{
	struct converge converge;

	converge_init(&converge, 300, 30, 99);
	CHECK(run(&converge, 4096 * MIB, 1000 * MIB, 800 * MIB) == CONVERGE_SWITCH);
	CHECK(!converge.pace);
	converge_init(&converge, 300, 30, 0);
	CHECK(run(&converge, 4096 * MIB, 1000 * MIB, 5000 * MIB) == CONVERGE_NEVER);
	CHECK(!converge.pace);
}

/* The most of all samples that are far enough apart, up to when it is slowed down. */
static void samples(void)
{
	struct converge converge;

	converge_init(&converge, 300, 30, 0);
	converge_sample(&converge, 1ULL << 40, 5 * SECOND);	/* what was there at the start */
	CHECK(!converge.free_rate);
	converge_sample(&converge, (1ULL << 40) + 50 * MIB, 5 * SECOND + SECOND / 1000);
	CHECK(!converge.free_rate);
	converge_sample(&converge, (1ULL << 40) + 100 * MIB, 6 * SECOND);
	CHECK(converge.free_rate == 100 * MIB);
	converge_sample(&converge, (1ULL << 40) + 110 * MIB, 7 * SECOND);
	CHECK(converge.free_rate == 100 * MIB);
	converge_sample(&converge, 0, 8 * SECOND);		/* it does not track any more */
	CHECK(converge.free_rate == 100 * MIB);
	converge.pace = 1;
	converge_sample(&converge, 500 * MIB, 9 * SECOND);
	CHECK(converge.free_rate == 100 * MIB);
}

/* What is held back is no dirt, and is waited for instead of being sent. */
static void held_back(void)
{
	struct converge converge;

	converge_init(&converge, 300, 30, 0);
	CHECK(converge_round(&converge, 100 * MIB, SECOND, 60 * MIB, 0) == CONVERGE_ROUND);
	CHECK(!converge.pause_ms && converge.dirty_rate == 60 * MIB);
	CHECK(converge_round(&converge, 10 * MIB, SECOND / 10, 30 * MIB, 20 * MIB) == CONVERGE_ROUND);
	CHECK(converge.pause_ms == 200 && converge.dirty_rate == 100 * MIB);
	CHECK(converge.expected_ms == 300);
	converge_round(&converge, 10 * MIB, SECOND / 10, 500 * MIB, 500 * MIB);
	CHECK(converge.pause_ms == 1000 && !converge.dirty_rate);
	converge_round(&converge, 10 * MIB, SECOND / 10, 1 * MIB, 2 * MIB);
	CHECK(converge.pause_ms == 10 && !converge.dirty_rate);
}

/* Where half of the link's rate does not help, less is tried, down to a least. */
static void slowed_down_further(void)
{
	struct converge converge;
	uint64_t last = UINT64_MAX;
	unsigned int i;

	converge_init(&converge, 10, 1000, 99);
	converge_round(&converge, 100 * MIB, SECOND, 50 * MIB, 0);
	for (i = 0; i < 5; i++) {
		CHECK(converge_round(&converge, 50 * MIB, SECOND, 50 * MIB, 0) == CONVERGE_ROUND);
		CHECK(converge.pace < last && converge.pace >= MIB / 2);
		last = converge.pace;
	}
	for (; i < 20 && converge_round(&converge, 50 * MIB, SECOND, 50 * MIB, 0) == CONVERGE_ROUND; i++)
		;
	CHECK(i < 20 && converge.pace == MIB / 2);
}

static void idle_guest(void)
{
	struct converge converge;

	converge_init(&converge, 1, 30, 0);
	CHECK(converge_round(&converge, 512 * MIB, SECOND, 0, 0) == CONVERGE_SWITCH);
	CHECK(converge.expected_ms == 0 && converge.dirty_rate == 0);
	CHECK(converge.rate == 512 * MIB);
}

/* Half of the target, not all of it. */
static void half_of_target(void)
{
	struct converge converge;

	converge_init(&converge, 300, 30, 0);
	CHECK(converge_round(&converge, 1000 * MIB, SECOND, 151 * MIB, 0) == CONVERGE_ROUND);
	CHECK(converge.expected_ms == 151);
	converge_init(&converge, 300, 30, 0);
	CHECK(converge_round(&converge, 1000 * MIB, SECOND, 150 * MIB, 0) == CONVERGE_SWITCH);
	CHECK(converge.expected_ms == 150);
}

static void stalled(void)
{
	struct converge converge;
	unsigned int i;

	converge_init(&converge, 10, 1000, 0);
	CHECK(converge_round(&converge, 100 * MIB, SECOND, 50 * MIB, 0) == CONVERGE_ROUND);
	for (i = 0; i < 5; i++)
		CHECK(converge_round(&converge, 50 * MIB, SECOND / 2, 46 * MIB, 0) == CONVERGE_ROUND);
	CHECK(converge.stalled == 5);
	CHECK(converge_round(&converge, 46 * MIB, SECOND / 2, 46 * MIB, 0) == CONVERGE_NEVER);
}

/* One round of real progress, and the count starts anew. */
static void progress_forgives(void)
{
	struct converge converge;
	unsigned int i;

	converge_init(&converge, 10, 1000, 0);
	converge_round(&converge, 100 * MIB, SECOND, 50 * MIB, 0);
	for (i = 0; i < 5; i++)
		converge_round(&converge, 50 * MIB, SECOND / 2, 50 * MIB, 0);
	CHECK(converge_round(&converge, 50 * MIB, SECOND / 2, 40 * MIB, 0) == CONVERGE_ROUND);
	CHECK(converge.stalled == 0);
	for (i = 0; i < 5; i++)
		CHECK(converge_round(&converge, 40 * MIB, SECOND / 2, 60 * MIB, 0) == CONVERGE_ROUND);
	CHECK(converge_round(&converge, 40 * MIB, SECOND / 2, 60 * MIB, 0) == CONVERGE_NEVER);
}

static void rounds_max(void)
{
	struct converge converge;
	uint64_t dirty = 1 << 30;
	unsigned int i;

	converge_init(&converge, 1, 4, 0);
	for (i = 1; i < 4; i++, dirty /= 2)
		CHECK(converge_round(&converge, dirty, SECOND, dirty / 2, 0) == CONVERGE_ROUND);
	CHECK(converge_round(&converge, dirty, SECOND, dirty / 2, 0) == CONVERGE_NEVER);
	CHECK(converge.rounds == 4 && converge.stalled == 0);

	converge_init(&converge, 300, 1, 0);
	CHECK(converge_round(&converge, 1000 * MIB, SECOND, 1000 * MIB, 0) == CONVERGE_NEVER);
	converge_init(&converge, 300, 1, 0);
	CHECK(converge_round(&converge, 1000 * MIB, SECOND, MIB, 0) == CONVERGE_SWITCH);
}

/* A few pages take as long as a message does: no measure of the link. */
static void small_rounds_tell_no_rate(void)
{
	struct converge converge;

	converge_init(&converge, 300, 30, 0);
	converge_round(&converge, 1000 * MIB, SECOND, 400 * MIB, 0);
	converge_round(&converge, 8192, SECOND / 100, 400 * MIB, 0);
	CHECK(converge.rate == 1000 * MIB);
	CHECK(converge.expected_ms == 400);
	converge_round(&converge, 400 * MIB, SECOND, 300 * MIB, 0);
	CHECK(converge.rate == 400 * MIB);
}

static void zero_time(void)
{
	struct converge converge;

	converge_init(&converge, 300, 30, 0);
	CHECK(converge_round(&converge, 0, 0, 0, 0) == CONVERGE_SWITCH);
	converge_init(&converge, 300, 30, 0);
	CHECK(converge_round(&converge, 100 * MIB, 0, 4096, 0) == CONVERGE_ROUND);
	CHECK(converge.rate == 0 && converge.expected_ms == UINT64_MAX);
	CHECK(converge_round(&converge, 4096, SECOND / 1000, 4096, 0) == CONVERGE_SWITCH);

	/* Nothing present, then something dirty: no rate to judge it by. */
	converge_init(&converge, 300, 30, 0);
	CHECK(converge_round(&converge, 0, SECOND, 4096, 0) == CONVERGE_ROUND);
}

/* No product may wrap around to a little one that fits the target. */
static void extremes(void)
{
	static const uint64_t bytes[] = { 0, 1, 4096, MIB, 1ULL << 54, 18446744073709552ULL,
					  UINT64_MAX / 1000, 1ULL << 61, 1ULL << 63, UINT64_MAX };
	static const uint64_t times[] = { 0, 1, 1000, SECOND, 1ULL << 40, 1ULL << 63, UINT64_MAX };
	struct converge converge;
	size_t s, t, d;

	for (s = 0; s < sizeof(bytes) / sizeof(*bytes); s++)
		for (t = 0; t < sizeof(times) / sizeof(*times); t++)
			for (d = 0; d < sizeof(bytes) / sizeof(*bytes); d++) {
				enum converge_verdict verdict;

				converge_init(&converge, 300, 30, 0);
				converge_round(&converge, MIB, SECOND, 3 * MIB, 0);
				verdict = converge_round(&converge, bytes[s], times[t], bytes[d], 0);
				if (verdict != CONVERGE_SWITCH)
					continue;
				CHECK(bytes[d] == 0 ||
				      (double)bytes[d] / converge.rate <= 0.151);
			}
}

static void other_limits(void)
{
	struct converge converge;

	converge_init(&converge, 300, 30, 0);
	CHECK(converge_round(&converge, 1000 * MIB, SECOND, 400 * MIB, 0) == CONVERGE_ROUND);
	converge_limit(&converge, 2000, 30, 0);
	CHECK(converge_round(&converge, 400 * MIB, SECOND, 390 * MIB, 0) == CONVERGE_SWITCH);

	converge_init(&converge, 300, 30, 0);
	CHECK(converge_round(&converge, 1000 * MIB, SECOND, 400 * MIB, 0) == CONVERGE_ROUND);
	converge_limit(&converge, 300, 2, 0);
	CHECK(converge_round(&converge, 400 * MIB, SECOND, 390 * MIB, 0) == CONVERGE_NEVER);

	/* Slowed down, then less, then not at all. */
	converge_init(&converge, 10, 1000, 90);
	while (converge.pace != 100 * MIB)
		CHECK(converge_round(&converge, 1000 * MIB, SECOND, 1000 * MIB, 0) == CONVERGE_ROUND);
	converge_limit(&converge, 10, 1000, 40);
	CHECK(converge.pace == 600 * MIB && !converge.stalled);
	converge_limit(&converge, 10, 1000, 0);
	CHECK(!converge.pace);
}

int main(void)
{
	static const struct test tests[] = {
		{ "switches over below the link's rate", below_link_rate },
		{ "gives up at and above the link's rate", above_link_rate },
		{ "a guest that may be slowed down", slowed_down },
		{ "a guest that may not be slowed down enough", slowed_down_not_enough },
		{ "a guest that need not be slowed down", not_slowed_down },
		{ "samples of what is dirtied", samples },
		{ "pages held back by references", held_back },
		{ "a guest that is slowed down further", slowed_down_further },
		{ "an idle guest switches after one round", idle_guest },
		{ "other limits in its course", other_limits },
		{ "half of the target is for the rest", half_of_target },
		{ "gives up after six rounds without progress", stalled },
		{ "progress starts the count anew", progress_forgives },
		{ "gives up after the most rounds", rounds_max },
		{ "small rounds tell no rate", small_rounds_tell_no_rate },
		{ "rounds of no time", zero_time },
		{ "extremes do not wrap around", extremes },
	};

	return TAP_RUN(tests);
}

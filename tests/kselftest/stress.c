// SPDX-License-Identifier: GPL-2.0-only
/*
 * All writers at once, for as long as wanted, while rounds run back to back. At random
 * times all of them stand still, rounds run until nothing is dirty any more, and every
 * page is compared: no write may have been missed by any round so far.
 *
 * Environment: VMFM_STRESS_S, how long for each size of folios (20); VMFM_DISK and
 * VMFM_SLOW_DISK, block devices to read from; and as tracking.h says.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "page.h"
#include "tracking.h"
#include "writers.h"

#define BYTES		(8UL << 20)
#define SETTLE_ROUNDS	100
#define SECONDS_MAX	3600

FIXTURE(stress)
{
	struct tracking tracking;
	struct writers writers;
	int fd;
	unsigned long rounds, stops, kept;
};

FIXTURE_VARIANT(stress)
{
	int huge;
};

FIXTURE_VARIANT_ADD(stress, huge_folios) { .huge = 1 };
FIXTURE_VARIANT_ADD(stress, small_folios) { .huge = 0 };

FIXTURE_SETUP(stress)
{
	memset(self, 0, sizeof(*self));
	tracking_huge(variant->huge);
	self->fd = tracking_add(&self->tracking, NULL, BYTES);
	ASSERT_EQ(0, writers_start(&self->writers, self->fd, BYTES));
}

FIXTURE_TEARDOWN(stress)
{
	if (self->writers.gate)
		gate_end(self->writers.gate);
	tracking_huge(1);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static void one_round(FIXTURE_DATA(stress) *self, struct door_stats *stats)
{
	tracking_round(&self->tracking, stats);
	self->rounds++;
	self->kept += stats->round_kept;
}

static void tell_page(struct __test_metadata *_metadata, size_t page, const char *a, const char *b)
{
	uint64_t here, there;
	size_t i = 0, last = PAGE - 1;

	while (a[i] == b[i])
		i++;
	while (a[last] == b[last])
		last--;
	memcpy(&here, a + i / 8 * 8, 8);
	memcpy(&there, b + i / 8 * 8, 8);
	TH_LOG("page %zu differs from byte %zu to %zu: %016llx, at the sink %016llx", page, i, last,
	       (unsigned long long)here, (unsigned long long)there);
}

static unsigned long differences(struct __test_metadata *_metadata, FIXTURE_DATA(stress) *self)
{
	static char a[PAGE * 64], b[PAGE * 64];
	unsigned long pages = 0;
	size_t at, i;

	for (at = 0; at < BYTES; at += sizeof(a)) {
		ASSERT_EQ(sizeof(a), pread(self->fd, a, sizeof(a), at));
		ASSERT_EQ(sizeof(b), pread(self->tracking.sink_fd[0], b, sizeof(b), at));
		for (i = 0; i < sizeof(a); i += PAGE) {
			if (!memcmp(a + i, b + i, PAGE))
				continue;
			if (pages++ < 20)
				tell_page(_metadata, (at + i) / PAGE, a + i, b + i);
		}
	}
	return pages;
}

static void stand_still(struct __test_metadata *_metadata, FIXTURE_DATA(stress) *self)
{
	struct door_stats stats;
	int rounds = 0;

	gate_shut(self->writers.gate);
	do {
		one_round(self, &stats);
		ASSERT_LT(rounds++, SETTLE_ROUNDS) TH_LOG("%llu pages stay dirty",
							  (unsigned long long)stats.dirty);
	} while (stats.dirty);
	ASSERT_EQ(0, differences(_metadata, self))
		TH_LOG("at stop %lu, after %lu rounds", self->stops, self->rounds);
	self->stops++;
	gate_open(self->writers.gate);
}

static void tell(struct __test_metadata *_metadata, FIXTURE_DATA(stress) *self)
{
	int i;

	TH_LOG("%lu rounds, %lu pages kept, compared %lu times", self->rounds, self->kept, self->stops);
	for (i = 0; i < self->writers.count; i++) {
		struct writer *w = &self->writers.writer[i];
		unsigned long done = atomic_load(&w->done);

		TH_LOG("%s: %lu times, failed %lu", w->name, done, atomic_load(&w->failed));
		if (!strstr(w->name, "disk") || w->disk >= 0)
			EXPECT_GT(done, 0);
	}
}

TEST_F_TIMEOUT(stress, all_writers, SECONDS_MAX)
{
	const char *seconds = getenv("VMFM_STRESS_S");
	uint64_t end_ms = now_ms() + 1000ULL * (seconds ? atoi(seconds) : 20);
	struct door_stats stats;

	srandom(getpid());
	tracking_start(&self->tracking);
	while (now_ms() < end_ms) {
		uint64_t stop_ms = now_ms() + random() % 3000;

		do {
			one_round(self, &stats);
		} while (now_ms() < stop_ms);
		stand_still(_metadata, self);
	}
	tell(_metadata, self);
	writers_end(&self->writers);
	tracking_final(&self->tracking);
	EXPECT_EQ(0, differences(_metadata, self));
	tracking_end(&self->tracking);
}

TEST_HARNESS_MAIN

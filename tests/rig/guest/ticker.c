// SPDX-License-Identifier: GPL-2.0
/* Wakes up every millisecond, and remembers the longest time that it did not. */
#include <time.h>

#include "guest.h"

static void note_jump(uint64_t us)
{
	unsigned long long longest = counters.longest_jump_us;

	while (us > longest &&
	       !atomic_compare_exchange_weak(&counters.longest_jump_us, &longest, us))
		;
}

static void *ticker(void *unused)
{
	const struct timespec ms = { 0, 1000000 };
	uint64_t last = now_us(), now;

	for (;;) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL);
		now = now_us();
		note_jump(now - last);
		last = now;
		atomic_fetch_add(&counters.ticks, 1);
	}
	return unused;
}

void ticker_start(void)
{
	start_thread(ticker, NULL, 20);
}

void ticker_reset(void)
{
	counters.longest_jump_us = 0;
}

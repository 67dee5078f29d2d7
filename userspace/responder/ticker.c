// SPDX-License-Identifier: GPL-2.0-only
#include <time.h>

#include "../clock.h"
#include "thread.h"
#include "ticker.h"

#define TICKER_PRIORITY 20

static void note_jump(struct ticker *ticker, unsigned long long us)
{
	unsigned long long longest = ticker->longest_jump_us;

	while (us > longest &&
	       !atomic_compare_exchange_weak(&ticker->longest_jump_us, &longest, us))
		;
}

static void *tick(void *arg)
{
	const struct timespec ms = { 0, 1000000 };
	struct ticker *ticker = arg;
	uint64_t last_ns = clock_ns(), now_ns;

	for (;;) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL);
		now_ns = clock_ns();
		note_jump(ticker, (now_ns - last_ns) / 1000);
		last_ns = now_ns;
		atomic_fetch_add(&ticker->ticks, 1);
	}
	return NULL;
}

int ticker_start(struct ticker *ticker, int cpu, struct fault *fault)
{
	return thread_start(tick, ticker, TICKER_PRIORITY, cpu, fault);
}

void ticker_reset(struct ticker *ticker)
{
	ticker->longest_jump_us = 0;
}

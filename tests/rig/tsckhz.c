// SPDX-License-Identifier: GPL-2.0
/*
 * Tells how fast this machine's time stamp counter counts, in kHz: an emulated host's
 * counter is this one. A host that measures it while it boots is now and then held up
 * in the middle of that, and its clock is wrong by any factor from then on.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define TRIES	64
#define PAST_US	100000

struct moment {
	int64_t ns;
	uint64_t ticks;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Of several tries the one that was held up least between the two clocks. */
static struct moment moment_take(void)
{
	struct moment best = { 0 };
	int64_t least = INT64_MAX, before, after;
	uint64_t ticks;
	int n;

	for (n = 0; n < TRIES; n++) {
		before = now_ns();
		ticks = __rdtsc();
		after = now_ns();
		if (after - before < least) {
			least = after - before;
			best = (struct moment){ before + least / 2, ticks };
		}
	}
	return best;
}

int main(void)
{
	struct moment from = moment_take(), to;

	usleep(PAST_US);
	to = moment_take();
	printf("%.0f\n", (double)(to.ticks - from.ticks) * 1e6 / (double)(to.ns - from.ns));
	return 0;
}

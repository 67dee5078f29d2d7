/* SPDX-License-Identifier: GPL-2.0-only */
/* Wakes every millisecond, and remembers the longest time from one wake to the next. */
#ifndef RESPONDER_TICKER_H
#define RESPONDER_TICKER_H

#include <stdatomic.h>

#include "../fault.h"

struct ticker {
	atomic_ullong ticks, longest_jump_us;
} __attribute__((aligned(64)));

/* On @cpu, or THREAD_ANY_CPU. */
int ticker_start(struct ticker *ticker, int cpu, struct fault *fault);
void ticker_reset(struct ticker *ticker);

#endif

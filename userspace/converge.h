/* SPDX-License-Identifier: GPL-2.0-only */
/* When to switch over: decided after each round from what it sent and what it left. */
#ifndef CONVERGE_H
#define CONVERGE_H

#include <stdint.h>

enum converge_verdict {
	CONVERGE_ROUND,		/* another round */
	CONVERGE_SWITCH,	/* what is left fits the downtime target */
	CONVERGE_NEVER,		/* out of rounds, or no progress is to be expected */
};

struct converge {
	uint64_t downtime_ms;
	unsigned int rounds_max;
	unsigned int rounds;
	unsigned int stalled;		/* rounds in a row that left no less than the one before */
	uint64_t last_dirty_bytes;
	uint64_t rate;			/* bytes/s over the link, of rounds long enough to tell */
	uint64_t dirty_rate;		/* bytes/s */
	uint64_t expected_ms;		/* to send what is left */
};

void converge_init(struct converge *converge, uint64_t downtime_ms, unsigned int rounds_max);
enum converge_verdict converge_round(struct converge *converge, uint64_t sent_bytes,
				     uint64_t time_ns, uint64_t dirty_bytes);

#endif

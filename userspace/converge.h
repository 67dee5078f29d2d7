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
	unsigned int max_slowdown;	/* percent, 0 to 99 */
	unsigned int rounds;
	unsigned int stalled;		/* rounds in a row that left no less than the one before */
	uint64_t last_dirty_bytes;
	uint64_t rate;			/* bytes/s over the link, of rounds long enough to tell */
	uint64_t dirty_rate;		/* bytes/s */
	uint64_t expected_ms;		/* to send what is left */
	uint64_t free_rate;		/* bytes/s, the most that it dirtied as it liked */
	uint64_t pace;			/* bytes/s that it may dirty from now on; 0: as it likes */
	unsigned int pause_ms;		/* before the next round: see converge_round() */
	uint64_t marked_bytes, marked_ns;	/* of the last sample */
};

void converge_init(struct converge *converge, uint64_t downtime_ms, unsigned int rounds_max,
		   unsigned int max_slowdown);
/* Other limits, while rounds run. */
void converge_limit(struct converge *converge, uint64_t downtime_ms, unsigned int rounds_max,
		    unsigned int max_slowdown);
/*
 * While rounds run: all that was dirtied since the session began, and when. Over a whole
 * round little can be dirtied twice, which makes a fast guest look slower than it is.
 */
void converge_sample(struct converge *converge, uint64_t marked_bytes, uint64_t now_ns);
/*
 * @kept_bytes of the @dirty_bytes left were held back by the reference rule, and not
 * dirtied. Rounds do not help against them, time does: the next one is to wait for as
 * long as sending them would have taken.
 */
enum converge_verdict converge_round(struct converge *converge, uint64_t sent_bytes,
				     uint64_t time_ns, uint64_t dirty_bytes, uint64_t kept_bytes);

#endif

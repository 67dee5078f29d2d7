// SPDX-License-Identifier: GPL-2.0-only
#include <stdbool.h>

#include "converge.h"

#define RATE_BYTES	(1 << 20)	/* a round of less says little of the link */
#define STALLED_ROUNDS	6
#define PACE_LEAST	(64 << 10)
#define PAUSE_MOST_MS	1000
#define SAMPLE_NS	100000000ULL
#define NSEC_PER_SEC	1000000000ULL

void converge_init(struct converge *converge, uint64_t downtime_ms, unsigned int rounds_max,
		   unsigned int max_slowdown)
{
	*converge = (struct converge){ .downtime_ms = downtime_ms, .rounds_max = rounds_max,
				       .max_slowdown = max_slowdown };
}

/* @a * @b / @c, UINT64_MAX where that is more. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 scaled = (unsigned __int128)a * b / c;

	return scaled > UINT64_MAX ? UINT64_MAX : (uint64_t)scaled;
}

static uint64_t per_second(uint64_t bytes, uint64_t time_ns)
{
	return time_ns ? scale(bytes, NSEC_PER_SEC, time_ns) : 0;
}

void converge_sample(struct converge *converge, uint64_t marked_bytes, uint64_t now_ns)
{
	uint64_t past_ns = now_ns - converge->marked_ns, rate;

	if (converge->marked_ns && past_ns < SAMPLE_NS)
		return;
	rate = per_second(marked_bytes - converge->marked_bytes, past_ns);
	if (converge->marked_ns && !converge->pace && marked_bytes >= converge->marked_bytes &&
	    rate > converge->free_rate)
		converge->free_rate = rate;
	converge->marked_bytes = marked_bytes;
	converge->marked_ns = now_ns;
}

/* What it may dirty at least, slowed down as much as may be. */
static uint64_t least_pace(const struct converge *converge)
{
	uint64_t least = scale(converge->free_rate, 100 - converge->max_slowdown, 100);

	return least > PACE_LEAST ? least : PACE_LEAST;
}

void converge_limit(struct converge *converge, uint64_t downtime_ms, unsigned int rounds_max,
		    unsigned int max_slowdown)
{
	converge->downtime_ms = downtime_ms;
	converge->rounds_max = rounds_max;
	converge->max_slowdown = max_slowdown;
	converge->stalled = 0;
	if (!max_slowdown)
		converge->pace = 0;
	else if (converge->pace && converge->pace < least_pace(converge))
		converge->pace = least_pace(converge);
}

/*
 * Half of what the link carries: then each round leaves half of the one before.
 * Where that does not help, half of what it was. False at what may be done.
 */
static bool slow_down(struct converge *converge)
{
	uint64_t pace = (converge->pace ? converge->pace : converge->rate) / 2;

	if (pace < least_pace(converge))
		pace = least_pace(converge);
	if (!converge->max_slowdown || (converge->pace && pace >= converge->pace))
		return false;
	converge->pace = pace;
	return true;
}

enum converge_verdict converge_round(struct converge *converge, uint64_t sent_bytes,
				     uint64_t time_ns, uint64_t dirty_bytes, uint64_t kept_bytes)
{
	uint64_t pause_ms;

	if (kept_bytes > dirty_bytes)
		kept_bytes = dirty_bytes;	/* some of them became holes meanwhile */
	converge->rounds++;
	if (sent_bytes >= RATE_BYTES || !converge->rate)
		converge->rate = per_second(sent_bytes, time_ns);
	converge->dirty_rate = per_second(dirty_bytes - kept_bytes, time_ns);
	converge->expected_ms = converge->rate ? scale(dirty_bytes, 1000, converge->rate) :
				dirty_bytes ? UINT64_MAX : 0;

	pause_ms = converge->rate ? scale(kept_bytes, 1000, converge->rate) : PAUSE_MOST_MS;
	converge->pause_ms = pause_ms < PAUSE_MOST_MS ? pause_ms : PAUSE_MOST_MS;

	/* Less than a tenth better is no better. */
	if (converge->rounds > 1 &&
	    dirty_bytes >= converge->last_dirty_bytes - converge->last_dirty_bytes / 10)
		converge->stalled++;
	else
		converge->stalled = 0;
	converge->last_dirty_bytes = dirty_bytes;
	if (!converge->pace && converge->dirty_rate > converge->free_rate)
		converge->free_rate = converge->dirty_rate;

	/* Half of the target is for the device state and for being wrong. */
	if (converge->expected_ms <= converge->downtime_ms / 2)
		return CONVERGE_SWITCH;
	if (converge->stalled && slow_down(converge))
		converge->stalled = 0;
	if (converge->rounds >= converge->rounds_max || converge->stalled >= STALLED_ROUNDS)
		return CONVERGE_NEVER;
	return CONVERGE_ROUND;
}

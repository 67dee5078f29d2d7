// SPDX-License-Identifier: GPL-2.0-only
#include "converge.h"

#define RATE_BYTES	(1 << 20)	/* a round of less says little of the link */
#define STALLED_ROUNDS	6
#define NSEC_PER_SEC	1000000000ULL

void converge_init(struct converge *converge, uint64_t downtime_ms, unsigned int rounds_max)
{
	*converge = (struct converge){ .downtime_ms = downtime_ms, .rounds_max = rounds_max };
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

enum converge_verdict converge_round(struct converge *converge, uint64_t sent_bytes,
				     uint64_t time_ns, uint64_t dirty_bytes)
{
	converge->rounds++;
	if (sent_bytes >= RATE_BYTES || !converge->rate)
		converge->rate = per_second(sent_bytes, time_ns);
	converge->dirty_rate = per_second(dirty_bytes, time_ns);
	converge->expected_ms = converge->rate ? scale(dirty_bytes, 1000, converge->rate) :
				dirty_bytes ? UINT64_MAX : 0;

	/* Less than a tenth better is no better. */
	if (converge->rounds > 1 &&
	    dirty_bytes >= converge->last_dirty_bytes - converge->last_dirty_bytes / 10)
		converge->stalled++;
	else
		converge->stalled = 0;
	converge->last_dirty_bytes = dirty_bytes;

	/* Half of the target is for the device state and for being wrong. */
	if (converge->expected_ms <= converge->downtime_ms / 2)
		return CONVERGE_SWITCH;
	if (converge->rounds >= converge->rounds_max || converge->stalled >= STALLED_ROUNDS)
		return CONVERGE_NEVER;
	return CONVERGE_ROUND;
}

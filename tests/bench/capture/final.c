// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long the last round takes when nothing is dirty any more, until the sink is DONE:
 * the guest stands still for it, whatever it wrote.
 */
#include <stdio.h>
#include <stdlib.h>

#include "capture.h"
#include "clock.h"

#define ROUNDS	4

/* CASE BYTES HUGE */
void final_measure(char **argv)
{
	size_t bytes = bytes_of(argv[1]), at;
	struct tracking tracking = { 0 };
	struct value values[] = { { "final_us", 0 }, { NULL, 0 } };
	struct door_stats stats;
	uint64_t from_ns;
	char *area;
	int n;

	tracking_huge(atoi(argv[2]));
	area = map_memory(tracking_add(&tracking, NULL, bytes), bytes);
	for (at = 0; at < bytes; at += PAGE_BYTES)
		area[at] = 1;
	tracking_start(&tracking);
	for (n = 0; n < ROUNDS; n++)
		tracking_round(&tracking, &stats);
	from_ns = clock_ns();
	tracking_final(&tracking);
	values[0].value = (clock_ns() - from_ns) / 1000;
	tracking_huge(1);
	sample("final", argv[0], values);
	tracking_end(&tracking);
}

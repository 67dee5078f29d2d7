/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Work for the guest to do: threads that write one word a page into an area of their
 * own, and look whether the word of before was still there.
 */
#ifndef RESPONDER_WORK_H
#define RESPONDER_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "../fault.h"
#include "text.h"

#define WORK_WRITERS	256	/* and no more, whatever is asked for */

struct work_plan {
	uint64_t bytes;		/* 0: no work */
	bool random;
	unsigned int writers;
};

/* Comes back when all of the area has been written once. */
int work_start(const struct work_plan *plan, struct fault *fault);

/* The rate, all writers together: BYTES a second, or max. */
int work_set_rate(const char *text, struct fault *fault);

/* Pages written since then, and those that did not hold what was written to them. */
void work_count(uint64_t *pages, uint64_t *errors);

/* Adds ,"dirty_bytes_per_s":,"work_bytes":,"write_latency":{} */
void work_tell(struct text *text);

#endif

// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <unistd.h>

#include "../clock.h"
#include "pace.h"
#include "size.h"

#define STEP_US		5000
#define BATCH_PAGES	256

int pace_parse(const char *text, atomic_ullong *bytes_per_s, struct fault *fault)
{
	uint64_t rate = PACE_NO_LIMIT;

	if (strcmp(text, "max") && size_parse(text, &rate, fault))
		return -1;
	*bytes_per_s = rate;
	return 0;
}

void pace_tell(uint64_t bytes_per_s, const char *key, struct text *text)
{
	if (bytes_per_s == PACE_NO_LIMIT)
		text_add(text, ",\"%s\":null", key);
	else
		text_add(text, ",\"%s\":%llu", key, (unsigned long long)bytes_per_s);
}

void pace_start(struct pace *pace)
{
	*pace = (struct pace){ clock_ns(), 0 };
}

/*
 * What was missed by more than ten steps is let go: a guest that stood still must
 * not make up for it.
 */
unsigned int pace_pages(struct pace *pace, uint64_t bytes_per_s, unsigned int share)
{
	double per_us = (double)bytes_per_s / share / PAGE_BYTES / 1e6;
	uint64_t now_ns = clock_ns();
	unsigned int n;

	if (bytes_per_s == PACE_NO_LIMIT) {
		*pace = (struct pace){ now_ns, 0 };
		return BATCH_PAGES;
	}
	pace->pages += (now_ns - pace->last_ns) / 1e3 * per_us;
	pace->last_ns = now_ns;
	if (pace->pages > 10 * STEP_US * per_us + 1)
		pace->pages = 10 * STEP_US * per_us + 1;
	n = pace->pages < BATCH_PAGES ? pace->pages : BATCH_PAGES;
	pace->pages -= n;
	if (!n)
		usleep(STEP_US);
	return n;
}

/* SPDX-License-Identifier: GPL-2.0 */
/* Keeps a loop over pages at a rate that others may change. */
#ifndef GUEST_PACE_H
#define GUEST_PACE_H

#include <unistd.h>

#include "guest.h"

#define PACE_STEP_US	5000

struct pace {
	uint64_t last_us;
	double pages;		/* may be used now */
};

/*
 * How many pages to do now. What was missed by more than ten steps is let go:
 * a guest that stood still must not make up for it.
 */
static inline unsigned int pace_pages(struct pace *p, double bytes_per_s)
{
	double per_us = bytes_per_s / PAGE_BYTES / 1e6;
	uint64_t now = now_us();
	unsigned int n;

	p->pages += (now - p->last_us) * per_us;
	p->last_us = now;
	if (p->pages > 10 * PACE_STEP_US * per_us + 1)
		p->pages = 10 * PACE_STEP_US * per_us + 1;
	n = p->pages;
	p->pages -= n;
	if (!n)
		usleep(PACE_STEP_US);
	return n;
}

#endif

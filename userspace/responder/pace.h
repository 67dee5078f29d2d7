/* SPDX-License-Identifier: GPL-2.0-only */
/* Keeps a loop over pages at a rate that others may change. */
#ifndef RESPONDER_PACE_H
#define RESPONDER_PACE_H

#include <stdatomic.h>
#include <stdint.h>

#include "../fault.h"
#include "text.h"

#define PAGE_BYTES	4096UL
#define PACE_NO_LIMIT	UINT64_MAX

struct pace {
	uint64_t last_ns;
	double pages;		/* may be used now */
};

/* A rate: a size, or "max". */
int pace_parse(const char *text, atomic_ullong *bytes_per_s, struct fault *fault);

/* Adds ,"@key":RATE, null where there is no limit. */
void pace_tell(uint64_t bytes_per_s, const char *key, struct text *text);

void pace_start(struct pace *pace);

/*
 * How many pages to do now; sleeps a little when that is none. @share is how many
 * loops share the rate.
 */
unsigned int pace_pages(struct pace *pace, uint64_t bytes_per_s, unsigned int share);

#endif

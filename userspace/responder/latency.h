/* SPDX-License-Identifier: GPL-2.0-only */
/* How long one write to a page took, counted by powers of two. Any thread adds and tells. */
#ifndef RESPONDER_LATENCY_H
#define RESPONDER_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

#include "text.h"

#define LATENCY_LOWEST_NS	256
#define LATENCY_BUCKETS		25	/* the last bound is 256 ns << 24, 4.3 s */

/* What is below bound_ns[i], and not below the one before; in the last also all above. */
struct latency {
	atomic_ullong count[LATENCY_BUCKETS];
};

uint64_t latency_bound_ns(unsigned int bucket);
unsigned int latency_bucket(uint64_t ns);
void latency_add(struct latency *latency, uint64_t ns);
void latency_merge(struct latency *into, const struct latency *from);

/* Adds ,"write_latency":{"bound_ns":[...],"count":[...]} */
void latency_tell(const struct latency *latency, struct text *text);

#endif

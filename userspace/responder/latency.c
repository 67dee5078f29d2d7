// SPDX-License-Identifier: GPL-2.0-only
#include "latency.h"

uint64_t latency_bound_ns(unsigned int bucket)
{
	return (uint64_t)LATENCY_LOWEST_NS << bucket;
}

unsigned int latency_bucket(uint64_t ns)
{
	uint64_t lowests = ns / LATENCY_LOWEST_NS;
	unsigned int bucket = lowests ? 64 - __builtin_clzll(lowests) : 0;

	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

void latency_add(struct latency *latency, uint64_t ns)
{
	atomic_fetch_add_explicit(&latency->count[latency_bucket(ns)], 1, memory_order_relaxed);
}

void latency_merge(struct latency *into, const struct latency *from)
{
	unsigned int i;

	for (i = 0; i < LATENCY_BUCKETS; i++)
		into->count[i] += from->count[i];
}

void latency_tell(const struct latency *latency, struct text *text)
{
	unsigned int i;

	text_add(text, ",\"write_latency\":{\"bound_ns\":[");
	for (i = 0; i < LATENCY_BUCKETS; i++)
		text_add(text, "%s%llu", i ? "," : "", (unsigned long long)latency_bound_ns(i));
	text_add(text, "],\"count\":[");
	for (i = 0; i < LATENCY_BUCKETS; i++)
		text_add(text, "%s%llu", i ? "," : "", latency->count[i]);
	text_add(text, "]}");
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rounds of one process's writes: nothing, DIRTY pages scattered over all blocks that
 * are there, DIRTY pages in a row. The same blocks whatever the nominal size.
 */
#include <stdio.h>
#include <stdlib.h>

#include "capture.h"

#define BLOCKS		125
#define PER_BLOCK	8
#define DIRTY		(BLOCKS * PER_BLOCK)
#define STRIDE		61	/* pages; coprime to a block's */

static void write_page(char *area, size_t bytes, size_t block, size_t page)
{
	*(volatile uint64_t *)(area + spread_block(block, BLOCKS, bytes) + page * PAGE_BYTES) += 1;
}

static void nothing(char *area, size_t bytes, unsigned int n)
{
	(void)area;
	(void)bytes;
	(void)n;
}

static void scattered(char *area, size_t bytes, unsigned int n)
{
	size_t i;

	for (i = 0; i < DIRTY; i++)
		write_page(area, bytes, i / PER_BLOCK,
			   (n + i / PER_BLOCK + i % PER_BLOCK * STRIDE) % BLOCK_PAGES);
}

static void in_runs(char *area, size_t bytes, unsigned int n)
{
	size_t i;

	for (i = 0; i < DIRTY; i++)
		write_page(area, bytes, (n + i / BLOCK_PAGES) % BLOCKS, i % BLOCK_PAGES);
}

static const struct {
	const char *name;
	void (*write)(char *area, size_t bytes, unsigned int n);
} patterns[] = {
	{ "0 dirty", nothing }, { "1000 scattered", scattered }, { "1000 in runs", in_runs },
};

static void tell(const char *size, const char *pattern, const struct door_stats *stats)
{
	struct value values[] = {
		{ "pages", stats->round_pages },
		{ "round_us", stats->round_ns / 1000 },
		{ "protect_us", stats->round_protect_ns / 1000 },
		{ "grant_wait_us", stats->round_wait_ns / 1000 },
		{ "protect_permille", stats->round_protect_ns * 1000 / stats->round_ns },
		{ NULL, 0 },
	};
	char name[64];

	snprintf(name, sizeof(name), "%s, %s", size, pattern);
	sample("round", name, values);
}

/* BYTES ROUNDS */
void rounds_measure(char **argv)
{
	size_t bytes = bytes_of(argv[0]), block, i;
	unsigned int rounds = atoi(argv[1]), n;
	struct tracking tracking = { 0 };
	struct door_stats stats;
	char *area = map_memory(tracking_add(&tracking, NULL, bytes), bytes);

	for (block = 0; block < BLOCKS; block++)
		write_page(area, bytes, block, 0);
	tracking_start(&tracking);
	tracking_round(&tracking, &stats);	/* all that is there */
	for (n = 0; n < rounds; n++)
		for (i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
			patterns[i].write(area, bytes, n);
			tracking_round(&tracking, &stats);
			tell(argv[0], patterns[i].name, &stats);
		}
	tracking_end(&tracking);
}

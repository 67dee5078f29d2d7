// SPDX-License-Identifier: GPL-2.0-only
/* Memory of a process: first touched, written in a row, written at random. */
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "clock.h"

#define STEP_PAGES	4096

static uint64_t populate_ns(char *area, size_t pages)
{
	uint64_t from_ns = clock_ns();
	size_t page;

	for (page = 0; page < pages; page++)
		*(volatile uint64_t *)(area + page * PAGE_BYTES) = page;
	return (clock_ns() - from_ns) / pages;
}

static uint64_t seq_ns(char *area, size_t pages, uint64_t ms)
{
	uint64_t from_ns = clock_ns(), spent_ns;
	size_t page = 0;

	do {
		memset(area + page % pages * PAGE_BYTES, (int)page, PAGE_BYTES);
		page++;
		spent_ns = clock_ns() - from_ns;
	} while (spent_ns < ms * 1000000 || page < pages);
	return spent_ns / page;
}

static uint64_t random_ns(char *area, size_t pages, uint64_t ms)
{
	uint64_t from_ns = clock_ns(), spent_ns, state = 1, i;
	size_t page = 0;

	do {
		for (i = 0; i < STEP_PAGES; i++)
			*(volatile uint64_t *)(area + roll(&state) % pages * PAGE_BYTES) = i;
		page += STEP_PAGES;
		spent_ns = clock_ns() - from_ns;
	} while (spent_ns < ms * 1000000);
	return spent_ns / page;
}

/* CASE memfd|hugetlb|FILE BYTES MS */
void process_measure(char **argv)
{
	size_t bytes = bytes_of(argv[2]);
	uint64_t ms = strtoul(argv[3], NULL, 10);
	char *area = map_memory(open_memory(argv[1], bytes), bytes);
	struct value values[] = {
		{ "populate_ns", populate_ns(area, bytes / PAGE_BYTES) },
		{ "seq_write_ns", seq_ns(area, bytes / PAGE_BYTES, ms) },
		{ "random_write_ns", random_ns(area, bytes / PAGE_BYTES, ms) },
		{ "pmd_mapped_mib", pmd_mapped_bytes(area) >> 20 },
		{ NULL, 0 },
	};

	sample("process", argv[0], values);
}

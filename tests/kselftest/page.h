/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests fill pages with, and where. */
#ifndef PAGE_H
#define PAGE_H

#include <stddef.h>
#include <stdint.h>

#define PAGE	4096UL
#define BLOCK	(2UL << 20)

/* Words of the page that are far from each other become @value, and then some. */
static inline void page_stamp(char *page, uint64_t value)
{
	uint64_t *word = (uint64_t *)page;
	size_t i;

	for (i = 0; i < PAGE / sizeof(*word); i += 31)
		word[i] = value + i;
}

static inline uint32_t roll(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

#endif

// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "sector.h"

#define WORDS (SECTOR_BYTES / 8)

void sector_stamp(void *to, uint64_t sector)
{
	uint64_t word[WORDS], x = (sector + 1) * 0x9e3779b97f4a7c15ULL;
	unsigned int i;

	word[0] = sector;
	for (i = 1; i < WORDS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		word[i] = x;
	}
	memcpy(to, word, sizeof(word));
}

bool sector_is_right(const void *at, uint64_t sector)
{
	char want[SECTOR_BYTES];

	sector_stamp(want, sector);
	return !memcmp(at, want, SECTOR_BYTES);
}

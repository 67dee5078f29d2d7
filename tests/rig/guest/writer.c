// SPDX-License-Identifier: GPL-2.0
/* Dirties the working set, a page at a time, at the rate that is set. */
#include <stdlib.h>
#include <sys/random.h>

#include "guest.h"

static atomic_size_t next_page;

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void write_some(unsigned int n, uint64_t *state)
{
	size_t count = pages_count(AREA_WS), page;

	while (n--) {
		page = settings.random ? random_next(state) : atomic_fetch_add(&next_page, 1);
		pages_write(AREA_WS, page % count);
		atomic_fetch_add(&counters.writes, 1);
	}
}

static void *writer(void *unused)
{
	struct pace pace;
	uint64_t state = 0;

	pace_start(&pace);
	if (getrandom(&state, sizeof(state), GRND_NONBLOCK) < 0 || !state)
		state = now_us() | 1;
	for (;;)
		write_some(pace_pages(&pace, settings.dirty_bytes_per_s, settings.writers), &state);
	return unused;
}

void writer_start(void)
{
	unsigned int i;

	for (i = 0; i < settings.writers && pages_count(AREA_WS); i++)
		start_thread(writer, NULL);
}

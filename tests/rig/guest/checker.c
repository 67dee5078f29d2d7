// SPDX-License-Identifier: GPL-2.0
/* Goes over all pages again and again. */
#include "guest.h"

struct place {
	enum area_id area;
	size_t page;
};

static void step(struct place *at)
{
	if (at->page < pages_count(at->area)) {
		pages_check(at->area, at->page++);
		return;
	}
	at->page = 0;
	at->area = (at->area + 1) % AREAS;
	if (at->area == 0)
		atomic_fetch_add(&counters.passes, 1);
}

static void *checker(void *unused)
{
	struct place at = { 0, 0 };
	struct pace pace;
	unsigned int n;

	pace_start(&pace);
	for (;;)
		for (n = pace_pages(&pace, settings.check_bytes_per_s, 1); n; n--)
			step(&at);
	return unused;
}

void checker_start(void)
{
	start_thread(checker, NULL);
}

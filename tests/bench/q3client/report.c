// SPDX-License-Identifier: GPL-2.0
/* What players saw. */
#include <stdio.h>

#include "player.h"

#define GAPS_MAX	4096

struct gap {
	int player;
	uint64_t from_ns, to_ns;
};

static struct gap gaps[GAPS_MAX];
static unsigned int gap_count;

void report_gap(struct player *p, uint64_t from, uint64_t to)
{
	if (to - from > p->longest_ns)
		p->longest_ns = to - from;
	if (to - from >= opt.gap_ms * MS && gap_count < GAPS_MAX)
		gaps[gap_count++] = (struct gap){ p->number, from, to };
}

struct totals {
	bool connected;
	uint64_t snapshots, longest_ns, lost, reconnects;
	double rate;
};

/* Connected: in the game, and not given up. The rate is one of @players' share. */
static void totals_add(struct totals *t, const struct player *p, uint64_t now, unsigned int count)
{
	t->connected &= p->state == PLAYING && now - p->last_ns < SILENCE_NS;
	t->snapshots += p->snapshots;
	t->lost += p->lost;
	t->reconnects += p->reconnects;
	if (p->longest_ns > t->longest_ns)
		t->longest_ns = p->longest_ns;
	if (p->snapshots > 1)
		t->rate += (p->snapshots - 1) * 1e9 / (p->last_ns - p->first_ns) / count;
}

static void totals_print(const struct totals *t)
{
	printf("\"connected\":%s,\"snapshots\":%llu,\"snapshots_per_s\":%.2f,"
	       "\"longest_gap_ms\":%.3f,\"lost\":%llu,\"reconnects\":%llu",
	       t->connected ? "true" : "false", (unsigned long long)t->snapshots, t->rate,
	       t->longest_ns / 1e6, (unsigned long long)t->lost,
	       (unsigned long long)t->reconnects);
}

static void print_gaps(void)
{
	unsigned int i;

	printf("\"gap_threshold_ms\":%u,\"gaps\":[", opt.gap_ms);
	for (i = 0; i < gap_count; i++)
		printf("%s{\"player\":%d,\"from_ns\":%llu,\"to_ns\":%llu,\"ms\":%.3f}",
		       i ? "," : "", gaps[i].player, (unsigned long long)gaps[i].from_ns,
		       (unsigned long long)gaps[i].to_ns,
		       (gaps[i].to_ns - gaps[i].from_ns) / 1e6);
	printf("]");
}

/* Of all players: sums, the longest gap, and for the rate what one of them gets. */
bool report_print(uint64_t now)
{
	struct totals all = { .connected = true };
	unsigned int i;

	for (i = 0; i < opt.players; i++)
		totals_add(&all, &players[i], now, opt.players);
	printf("{");
	totals_print(&all);
	printf(",\"own_gap_ms\":%.3f,", own_gap_ns / 1e6);
	print_gaps();
	printf(",\"players\":[");
	for (i = 0; i < opt.players; i++) {
		struct totals one = { .connected = true };

		totals_add(&one, &players[i], now, 1);
		printf("%s{", i ? "," : "");
		totals_print(&one);
		printf("}");
	}
	printf("]}\n");
	if (own_gap_ns > opt.gap_ms * MS)
		fprintf(stderr, "q3client: did not run for %.1f ms itself: gaps of that size "
			"mean nothing\n", own_gap_ns / 1e6);
	return all.snapshots > 0;
}

// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>

#include "player.h"

#define PATIENCE_NS	(15000 * MS)	/* with one step on the way into the game */

void player_enter(struct player *p, enum state state, uint64_t now)
{
	p->state = state;
	p->since_ns = now;
	p->sent_ns = p->answered_ns = 0;
}

void player_ask_again(struct player *p, uint64_t now)
{
	p->reconnects += p->state == PLAYING;
	player_enter(p, ASKING, now);
}

static void steer(struct player *p, uint64_t now)
{
	p->yaw += p->turn;
	if (now < p->steer_ns)
		return;
	p->steer_ns = now + (300 + rand() % 900) * MS;
	p->turn = rand() % 1200 - 600;
	p->sideways = (rand() % 3 - 1) * 127;
	p->jump = rand() % 4 ? 0 : 127;
	p->fire = rand() % 4 != 0;
}

/* A server that was away may be another one, which answers who asks, but does not know us. */
static void doubt(struct player *p, uint64_t now)
{
	if (now - p->last_ns < SILENCE_NS || now - p->sent_ns < RETRY_NS)
		return;
	p->sent_ns = now;
	say_text(p, "getchallenge");
	if (p->answered_ns && now - p->answered_ns > 2 * RETRY_NS)
		player_ask_again(p, now);
}

void player_act(struct player *p, uint64_t now)
{
	if (p->state != PLAYING && now - p->since_ns > PATIENCE_NS)
		player_ask_again(p, now);
	if (p->state == PLAYING)
		doubt(p, now);
	if (p->state >= LOADING) {
		steer(p, now);
		say_message(p, now, NULL);
	} else if (now - p->sent_ns >= RETRY_NS) {
		p->sent_ns = now;
		if (p->state == ASKING)
			say_text(p, "getchallenge");
		else
			say_connect(p);
	}
}

void player_finish(struct player *p, uint64_t now)
{
	int i;

	for (i = 0; i < 3 && p->state >= LOADING; i++)
		say_message(p, now, "disconnect");
	if (p->snapshots && now - p->last_ns >= opt.gap_ms * MS)
		report_gap(p, p->last_ns, now);
}

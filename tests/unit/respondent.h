/* SPDX-License-Identifier: GPL-2.0-only */
/* A responder that loses, holds back, stands still and goes away, as it is told to. */
#ifndef RESPONDENT_H
#define RESPONDENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MS		1000000ULL
#define SEQS		200000
#define PAUSE_MS	600	/* is seen as 300 at least, however late we are ourselves */
#define TRICKS		500	/* requests: it disturbs the replies to these only */
#define JUNK		13	/* pieces: one fewer over TCP, where an empty one is none */

/* One thread; what it does to which requests. Its client is -1 at first. */
struct respondent {
	const char *host;
	char target[64];
	int udp, listener, client, parted;
	pthread_t thread;
	atomic_bool stop, hold, forsake;
	atomic_uint heard, malformed, questions;

	const char *status, *banner;	/* NULL: none */
	unsigned int deaf;		/* to so many questions at first */
	bool brief;			/* as older ones: three numbers */
	unsigned int lose_every, swap_every, twice_every, junk_every;
	unsigned int pause_at, leave_at;
	bool politely;			/* leaves its client without a reset */
	uint64_t paused_ns, resumed_ns;	/* when it paused, or was away */

	unsigned char replies[SEQS];	/* that it sent */
	char held[128];
	char in[4096];
	size_t used;
};

/* On a port of its own at @host, in ->target then; gives the test up where it cannot. */
void respondent_up(struct respondent *guest, const char *host);
void respondent_down(struct respondent *guest);
uint16_t respondent_port(const struct respondent *guest);

#endif

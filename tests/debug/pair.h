/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A sink and a source session within this host, the files that they move pages
 * between, and the proof that nothing is left of them.
 *
 * What answers a text answers NULL when all is well.
 */
#ifndef PAIR_H
#define PAIR_H

#include "../kselftest/door.h"

#define PAGE_BYTES	4096UL
#define BLOCK_BYTES	(2UL << 20)
#define PAIR_BYTES	(2 * BLOCK_BYTES)
#define PAIR_WAIT_MS	60000

struct pair {
	char dir[64];		/* a mount of its own */
	struct door door;	/* owns the sessions */
	struct door other;	/* asks */
	struct door listener;	/* of events, so that they are made; never reads them */
	struct door_spec sink, source;
	int sink_fd, source_fd;
	char *area;		/* the source, mapped */
	int sink_id, source_id;	/* 0: none */
	int seen_id;		/* sessions up to it are known to be gone */
	int users;		/* of the module */
};

const char *pair_open(struct pair *pair, const char *addr);
const char *pair_close(struct pair *pair);

/* Maps the source, anew when it is: no page tables are left. */
bool pair_map(struct pair *pair);
/* Writes every page of the source, differently each time. */
void pair_fill(struct pair *pair, unsigned int generation);
const char *pair_same(struct pair *pair);

/* NEW for both; then START, and READY. */
const char *pair_new(struct pair *pair);
const char *pair_start(struct pair *pair);
/* Until both are in @state. */
const char *pair_wait(struct pair *pair, int state);
/* FINAL, DONE, and every page compared. */
const char *pair_finish(struct pair *pair);
/* DEL for both. */
const char *pair_end(struct pair *pair);
/* No session since the last call is left, the files are free, the module has no more users. */
const char *pair_gone(struct pair *pair);
/* A socket that lost an answer is of no use any more; its sessions end with it. */
void pair_reopen(struct pair *pair);

unsigned long pair_used_pages(struct pair *pair);

#endif

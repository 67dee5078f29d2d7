/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A source and a sink session within this host. VMFM_ADDR is its address. What fails
 * is told on standard error and ends the program.
 */
#ifndef TRACKING_H
#define TRACKING_H

#include <stddef.h>

#include "door.h"

#define TRACKED_MAX	2

struct tracking {
	struct door door;
	struct door_spec spec;	/* the source's */
	int sink_fd[TRACKED_MAX];
	int source, sink;
};

/*
 * Answers the descriptor of the region's file, which has a sink's beside it: the file
 * at @path, or a new one.
 */
int tracking_add(struct tracking *tracking, const char *path, size_t bytes);
/* Makes the sessions, and has the source start. */
void tracking_start(struct tracking *tracking);
void tracking_sessions(struct tracking *tracking);
void tracking_round(struct tracking *tracking, struct door_stats *stats);
/*
 * Start, a round or the final one of the source. Answers the error that it failed with,
 * whose text is in door.error; or 0.
 */
int tracking_fails(struct tracking *tracking, int cmd);
/* The last round; returns when the sink has all. */
void tracking_final(struct tracking *tracking);
void tracking_end(struct tracking *tracking);
void tracking_huge(int huge);
/* All of it at once, with a small file: this host migrates. */
void tracking_once(void);

#endif

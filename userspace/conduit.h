/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the pipes of a QEMU that began a migration itself ("exec:") and its
 * stream (stream.h), in a thread of its own. On the way the stream is filtered,
 * and held at the filter's marks until it may pass them; QEMU, with nobody who
 * reads on, waits.
 *
 * Where QEMU closes its pipe too early, or the filter refuses its stream, the
 * job is cancelled, and the pipes are closed, by which QEMU fails at once. Before
 * they are closed QEMU's child is told to exit: QEMU's main loop waits for it then,
 * and answers nobody. Once all but the devices has passed, that is for the job.
 */
#ifndef CONDUIT_H
#define CONDUIT_H

#include <pthread.h>
#include <stdatomic.h>

#include "job.h"
#include "ramfilter/filter.h"

#define CONDUIT_PIECE_BYTES 65536

/* QEMU's stream is read from @in, its return path written to @out. -1: none. */
struct pipes {
	int in, out;
};

struct conduit {
	pthread_t thread;
	bool running;
	struct pipes pipes;
	int stream;			/* our end of a socket pair */
	int wake;			/* eventfd */
	struct job *job;
	struct ramfilter filter;
	atomic_int at, passes;		/* enum ramfilter_mark */
	atomic_bool stop, failed;
	atomic_bool ended;		/* QEMU closed its stream, all but the devices having passed */
	atomic_bool refuses;		/* QEMU hears at the end, by its return path, that it failed */
	struct fault why;		/* once it failed */
	atomic_flag told;		/* the child was */
	uint8_t piece[CONDUIT_PIECE_BYTES];
	size_t piece_at, piece_bytes;
	uint8_t filtered[CONDUIT_PIECE_BYTES + RAMFILTER_HELD_BYTES];
};

/* QEMU's child exits, with that result; the first counts. Takes over @result. */
void conduit_tell_child(struct conduit *conduit, json_t *result);
/* Its job, its pipes and what its filter leaves out are set. *stream: the other end. */
int conduit_start(struct conduit *conduit, int *stream, struct fault *fault);
/* Lets the stream pass up to the next mark, or all of it. */
void conduit_pass(struct conduit *conduit, enum ramfilter_mark mark);

static inline enum ramfilter_mark conduit_at(struct conduit *conduit)
{
	return (enum ramfilter_mark)atomic_load(&conduit->at);
}

/* Ends it, wherever it is; the pipes are closed, also those of one that never started. */
void conduit_stop(struct conduit *conduit);

#endif

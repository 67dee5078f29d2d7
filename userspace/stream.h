/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's migration stream on its way: bytes between a QEMU's socket and the
 * other daemon, in a thread of its own.
 *
 * The gate. A destination QEMU runs its guest's devices once it has read the
 * stream to its end. The source's side holds the newest byte back until the
 * gate is opened, which is when all RAM is in place over there: without its
 * last byte no stream is complete. A device reads guest RAM as soon as its state
 * is loaded: from when QEMU may save that until the gate is opened the gate is
 * shut, and everything is held; QEMU waits when that is more than there is room for.
 *
 * The return path. QEMU's source takes the migration for done when its
 * destination says so there. The source's side holds all of it back until the
 * destination is known to have loaded everything: until then the source's
 * migration can fail, and then its guest goes on.
 */
#ifndef STREAM_H
#define STREAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "chan.h"
#include "qmp.h"

#define STREAM_URI "fd:vmfastmig"	/* to QEMU, after stream_give() */
#define STREAM_RETURN_BYTES 65536
#define STREAM_HELD_BYTES (4 << 20)

struct stream {
	pthread_t thread;
	bool running;
	int qemu;
	struct chan *chan;
	bool source;
	int wake;			/* eventfd */
	atomic_bool gate_shut, gate_open, return_open, stop;
	atomic_bool qemu_closed;	/* its end; it reads and writes no more */
	atomic_ullong forward_bytes, forward_ns;	/* and when the last of them came by */
	char *held;			/* source: what the gate holds back */
	size_t held_bytes;
	char back[STREAM_RETURN_BYTES];	/* source: the return path held back */
	size_t back_bytes;
};

/* Gives QEMU one end of a socket pair and starts with the other. */
int stream_give(struct stream *stream, struct qmp *qmp, struct chan *chan, bool source,
		struct fault *fault);
/* Takes over @qemu, a connected socket; @chan stays the caller's. */
int stream_start(struct stream *stream, int qemu, struct chan *chan, bool source,
		 struct fault *fault);
/* What QEMU writes from now on. */
void stream_shut_gate(struct stream *stream);
void stream_open_gate(struct stream *stream);
void stream_open_return(struct stream *stream);
/* Ends it, wherever it is; the QEMU's socket is closed. */
void stream_stop(struct stream *stream);

#endif

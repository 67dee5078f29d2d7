/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A migration that QEMU began itself, into a pipe: what its source does otherwise.
 *
 * All RAM is in that stream, and QEMU waits in its first pages while ours go by
 * RDMA. Then the stream flows, without those pages, until QEMU stops the guest; the
 * rounds go on. It is held there for the last round. QEMU's capabilities are its
 * user's, and are not changed.
 *
 * Without a return path QEMU takes its migration for completed once all was read
 * and its child has exited. So the child does not exit before the destination has
 * loaded everything; and from there on, or if it was sooner, the guest is brought
 * back as from any migration that completed.
 */
#ifndef PIPED_H
#define PIPED_H

#include "conduit.h"
#include "minder.h"

struct source;

struct piped {
	struct conduit conduit;
	struct minder minder;
	bool return_path, pauses;	/* QEMU's capabilities */
};

/* Takes over @pipes. */
struct piped *piped_new(const struct pipes *pipes, struct job *job);
void piped_free(struct piped *piped);

/* Stages. */
int piped_connect(struct source *source, struct fault *fault);
int piped_preflight(struct source *source, struct fault *fault);
int piped_prepare(struct source *source, struct fault *fault);
int piped_switchover(struct source *source, struct fault *fault);
int piped_final(struct source *source, struct fault *fault);
int piped_device_state(struct source *source, struct fault *fault);
int piped_hand_over(struct source *source, struct fault *fault);

/* Parts of stages. */

/* QEMU reads all RAM, which fills its holes: a file that cannot grow would be a guest's end. */
void piped_check_room(struct source *source);
/* QEMU's part of the downtime: what is left when it stops the guest it reads, and it goes no further than to us. */
unsigned int piped_downtime_ms(const struct source *source);
/* Between pipes and stream, up to the first pages. */
int piped_start(struct source *source, struct fault *fault);
/* QEMU reads its RAM to the end, and again what was written, until it stops the guest. */
int piped_flow(struct source *source, struct fault *fault);

/* Ends QEMU's migration, up to where source_undo() goes on; the deeper reason goes to @fault. */
void piped_undo(struct source *source, struct fault *fault);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One migration on its source's side. Each stage is a function; source.c has
 * their order. A stage that fails before the commit point leads to
 * source_undo(), after which the guest runs here as before.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "converge.h"
#include "daemon.h"
#include "door.h"
#include "guest.h"
#include "journal.h"
#include "native.h"
#include "piped.h"
#include "qmp.h"
#include "stream.h"
#include "virt.h"

#define SOURCE_ANSWER_MS 30000
#define SOURCE_LOAD_MS 60000	/* the device state, at the destination */

struct source {
	struct job *job;
	const struct uri *uri;
	struct uri_options options;	/* the URI's, and what was wished since */
	const char *qmp_path;
	bool check;		/* preflight only */
	struct piped *piped;	/* NULL: QEMU migrates when it is told to */
	struct virt *virt;	/* NULL: the monitor is ours; else piped is there, too */
	struct native *native;	/* NULL: QEMU does not know rdmafast: */

	struct qmp qmp;
	struct guest guest;
	struct door door;
	struct chan control, data;
	struct stream stream;
	struct watch watch;	/* a cancel, or a word or the end of the peer */
	char ticket[33], boot_id[64];	/* the destination's */
	uint8_t token[VMFM_TOKEN_BYTES];
	struct sockaddr_storage rdma;	/* the sink's */
	uint32_t session;
	struct commit_peer peer;
	json_t *settings;	/* QEMU's, as they were */

	bool was_running;	/* when the switchover began */
	bool journaled;
	bool migrating;		/* QEMU was told to */
	bool committed;
	uint64_t start_ns, stage_ns, stop_ns, resumed_ns;
	struct door_session last;
	struct converge converge;
	json_t *checks, *rounds, *phases;
	double downtime_qemu_ms;
};

/* peer.c */
/* Connects to the destination's daemon, or no more. */
int source_call_peer(struct source *source, struct fault *fault);
void source_leave_peer(struct source *source);
/* The peer's next message must have that key; "error" and anything else is a failure. */
int source_expect(struct source *source, const char *key, int timeout_ms, struct fault *fault);
/* A wait failed or ended early: puts the deeper reason in @fault. Always -1. */
int source_why(struct source *source, struct fault *fault);
/* agree.c */
int source_connect(struct source *source, struct fault *fault);
int source_preflight(struct source *source, struct fault *fault);
int source_prepare(struct source *source, struct fault *fault);
uint64_t source_present_bytes(const struct guest *guest);
int source_open_data(struct source *source, struct fault *fault);
/* QEMU's, before they are changed: for us, and in the journal. */
int source_keep_settings(struct source *source, struct fault *fault);
/* precopy.c */
int source_start(struct source *source, struct fault *fault);
int source_precopy(struct source *source, struct fault *fault);
/* Waits so long for the end of a round that began. 1: it goes on. */
int source_look_at_round(struct source *source, int timeout_ms, struct fault *fault);
/* Waits for that end, however far it is, telling progress. */
int source_wait_round(struct source *source, struct fault *fault);
/* A whole one. */
int source_round(struct source *source, struct fault *fault);
void source_tell_progress(struct source *source);
/* switchover.c */
int source_switchover(struct source *source, struct fault *fault);
int source_final(struct source *source, struct fault *fault);
int source_device_state(struct source *source, struct fault *fault);
int source_hand_over(struct source *source, struct fault *fault);
int source_ready(struct source *source, struct fault *fault);
int source_commit(struct source *source, struct fault *fault);
/* To the destination, which then waits for QEMU's stream. */
int source_tell_switchover(struct source *source, struct fault *fault);
int source_write_journal(struct source *source, bool committed, struct fault *fault);
int source_begin_final(struct source *source, struct fault *fault);
/* All RAM is there then. */
int source_end_final(struct source *source, struct fault *fault);
/* undo.c: adds to the fault where the guest could not be brought back. */
void source_undo(struct source *source, struct fault *fault);
void source_release(struct source *source);
/* report.c */
void source_note_round(struct source *source, const struct door_round *round);
json_t *source_result(struct source *source, const char *uri_text);
json_t *source_failure(struct source *source, const struct fault *fault, const char *phase);

#endif

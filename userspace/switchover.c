// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the last round of the running guest to the commit. QEMU stops the guest
 * and waits in pre-switchover; the last of RAM goes; the device state goes; the
 * destination has loaded it all; QEMU here completes; the commit is said.
 */
#include <string.h>

#include "clock.h"
#include "commit.h"
#include "source.h"

#define FINAL_MS	10000
#define CATCH_UP_ROUNDS	4
#define FEW_PAGES	16	/* are sent in less time than a round takes to begin */
#define REASON_MS	2000
#define COMMIT_AGAIN_MS	60000

/* -1 when QEMU's migration ended otherwise. */
static int wait_status(struct source *source, const char *want, int timeout_ms,
		       struct fault *fault)
{
	const char *const any[] = { want, "failed", "cancelled", "cancelling", NULL };
	json_t *event, *answer = NULL;
	const char *status;
	struct fault ignored;
	int got = qmp_wait_event(&source->qmp, "MIGRATION", any, timeout_ms, &source->watch,
				 &event, fault);

	if (got < 0)
		return -1;
	if (!got) {
		fail(fault, "QEMU's migration does not come to %s in %d s", want, timeout_ms / 1000);
		return source_why(source, fault);
	}
	status = json_string_value(json_object_get(json_object_get(event, "data"), "status"));
	got = strcmp(status, want);
	if (got)
		fail(fault, "QEMU's migration came to %.32s, not to %s", status, want);
	json_decref(event);
	if (!got)
		return 0;
	if (!qmp_call(&source->qmp, "query-migrate", NULL, &answer, &ignored))
		fail(fault, "QEMU's migration failed: %s",
		     json_string_value(json_object_get(answer, "error-desc")) ?: "it does not say why");
	json_decref(answer);
	return -1;
}

/* How it is now: it may have been paused or resumed since we came. */
static int read_running(struct source *source, struct fault *fault)
{
	char status[32];

	if (guest_status(&source->qmp, status, sizeof(status), fault))
		return -1;
	source->was_running = !strcmp(status, "running");
	return 0;
}

int source_write_journal(struct source *source, bool committed, struct fault *fault)
{
	struct journal journal = { .qmp = &source->qmp, .running = source->was_running,
				   .migrating = source->migrating, .settings = source->settings,
				   .peer = source->peer };

	if (source->native)
		return 0;	/* that QEMU brings its guest back itself, or knows that it must not */
	source->journaled = true;
	return journal_write(&journal, committed, fault);
}

/*
 * The destination made itself ready while the guest ran: what it dirtied since
 * goes now, and not while it is stopped. What it dirties meanwhile goes in another
 * round as long as that is less than half of it.
 */
static int catch_up(struct source *source, struct fault *fault)
{
	const struct door_round *round = &source->last.round;
	int n = 0;

	do {
		if (source_round(source, fault))
			return -1;
	} while (++n < CATCH_UP_ROUNDS && round->dirty_pages > FEW_PAGES &&
		 round->dirty_pages < round->pages / 2);
	return 0;
}

int source_tell_switchover(struct source *source, struct fault *fault)
{
	return chan_send(&source->control,
			 json_pack("{s:b,s:b}", "switchover", 1, "paused",
				   source->options.paused || !source->was_running), fault) ?:
	       source_expect(source, "listening", SOURCE_ANSWER_MS, fault);
}

int source_switchover(struct source *source, struct fault *fault)
{
	if (read_running(source, fault) || source_tell_switchover(source, fault) ||
	    stream_give(&source->stream, &source->qmp, &source->data, true, fault) ||
	    catch_up(source, fault))
		return -1;
	qmp_drop_events(&source->qmp, "MIGRATION");
	qmp_drop_events(&source->qmp, "STOP");
	source->migrating = true;
	if (source_write_journal(source, false, fault) ||
	    qmp_call(&source->qmp, "migrate", json_pack("{s:s}", "uri", STREAM_URI), NULL,
		     fault))
		return -1;
	return wait_status(source, "pre-switchover", SOURCE_ANSWER_MS, fault);
}

int source_begin_final(struct source *source, struct fault *fault)
{
	return door_session_do(&source->door, VMFM_CMD_SESSION_FINAL, source->session, FINAL_MS,
			       fault) ? source_why(source, fault) : 0;
}

int source_end_final(struct source *source, struct fault *fault)
{
	if (door_session_wait(&source->door, source->session, VMFM_STATE_DONE, 2 * FINAL_MS,
			      &source->watch, &source->last, fault))
		return source_why(source, fault);
	source_note_round(source, &source->last.round);
	return 0;
}

/* QEMU saves its devices meanwhile; none of that leaves before all of RAM did. */
int source_final(struct source *source, struct fault *fault)
{
	struct fault ignored;
	json_t *stop;

	stream_shut_gate(&source->stream);
	if (source_begin_final(source, fault))
		return -1;
	if (qmp_call(&source->qmp, "migrate-continue", json_pack("{s:s}", "state", "pre-switchover"),
		     NULL, fault))
		return source_why(source, fault);
	if (source_end_final(source, fault))
		return -1;
	source->stop_ns = source->stage_ns;
	if (qmp_wait_event(&source->qmp, "STOP", NULL, 0, WATCH_NOTHING, &stop, &ignored) > 0) {
		source->stop_ns = json_integer_value(json_object_get(stop, "arrived_ns"));
		json_decref(stop);
	}
	return 0;
}

/* The destination's word, or a failure of the QEMU here, whichever comes first. */
static int wait_loaded(struct source *source, struct fault *fault)
{
	static const char *const ends[] = { "failed", "cancelled", NULL };
	json_t *event = NULL;
	int got = 0;

	if (!chan_readable(&source->control, 0))
		got = qmp_wait_event(&source->qmp, "MIGRATION", ends, SOURCE_LOAD_MS, &source->watch, &event,
				     fault);
	json_decref(event);
	if (got < 0)
		return -1;
	if (job_cancelled(source->job))
		return fail(fault, "cancelled");
	/* The destination knows why, and its QEMU is ended before it says so. */
	if (got && !chan_readable(&source->control, REASON_MS))
		return fail(fault, "QEMU's migration failed while it sent the device state");
	return source_expect(source, "loaded", 1000, fault);
}

int source_device_state(struct source *source, struct fault *fault)
{
	if (job_cancelled(source->job))
		return fail(fault, "cancelled");
	stream_open_gate(&source->stream);
	return wait_loaded(source, fault);
}

int source_hand_over(struct source *source, struct fault *fault)
{
	if (job_cancelled(source->job))
		return fail(fault, "cancelled");
	job_mark(source->job, "saved", atomic_load(&source->stream.forward_ns));
	stream_open_return(&source->stream);
	return wait_status(source, "completed", SOURCE_ANSWER_MS, fault);
}

/*
 * A peer that died is not known to be dead for seconds, and a commit sent to it
 * would give the guest to nobody. It answers now, or the guest stays ours.
 */
int source_ready(struct source *source, struct fault *fault)
{
	if (job_cancelled(source->job) || chan_readable(&source->control, 0))
		return source_why(source, fault);
	if (chan_send(&source->control, json_pack("{s:b}", "ready", 1), fault))
		return -1;
	return source_expect(source, "ready", CHAN_SILENCE_MS, fault);
}

static void read_downtime(struct source *source)
{
	struct fault ignored;
	json_t *answer = NULL;

	if (!qmp_call(&source->qmp, "query-migrate", NULL, &answer, &ignored))
		source->downtime_qemu_ms = json_integer_value(json_object_get(answer, "downtime"));
	json_decref(answer);
}

/* The guest may be run here by its administrator: a daemon after us has no more to do then. */
static void give_back_settings(struct source *source)
{
	struct fault ignored;

	guest_restore_settings(&source->qmp, source->settings);
	source->settings = NULL;
	source_write_journal(source, true, &ignored);
}

/*
 * The commit point is that the commit has been sent whole. Before it nothing
 * runs the guest there; after it only the destination's answer that it never
 * ran it, and will not, makes it ours again.
 */
int source_commit(struct source *source, struct fault *fault)
{
	enum commit_outcome outcome;
	struct fault later;

	if (job_cancelled(source->job) || chan_readable(&source->control, 0))
		return source_why(source, fault);
	if (source_write_journal(source, true, fault))
		return -1;
	if (chan_send(&source->control, json_pack("{s:b}", "commit", 1), fault))
		return -1;	/* not whole: nobody can have read it */
	source->committed = true;
	outcome = commit_answer(&source->peer, &source->control, SOURCE_ANSWER_MS, fault);
	if (outcome == COMMIT_SILENT)
		outcome = commit_again(&source->peer, COMMIT_AGAIN_MS, source->job->stop_fd,
				       fault);
	source->resumed_ns = clock_ns();
	job_mark(source->job, "resumed", source->resumed_ns);
	if (!source->native)
		read_downtime(source);
	if (outcome == COMMIT_RAN)
		return 0;
	source->committed = outcome != COMMIT_NEVER;
	if (!source->committed)
		return -1;
	give_back_settings(source);
	later = *fault;
	return fail(fault, "the outcome is unknown: the destination was told to run the guest, and then: %.160s. The guest is stopped here. If it runs at %s, quit the QEMU here; if it certainly does not, quit the QEMU there first, and then cont it here",
		    later.text, source->uri->host);
}

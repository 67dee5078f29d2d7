// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "piped.h"
#include "preflight.h"
#include "resume.h"
#include "source.h"

#define SETUP_MS	10000
#define FLOW_MS		60000
#define FLOW_RATE	(64 << 10)	/* bytes a ms: what QEMU reads of its RAM at least */
#define FAIL_MS		2000
#define QUICK_MS	5
#define PAUSE_MS	20	/* between two rounds of a few pages */
#define FEW_PAGES	256

struct piped *piped_new(const struct pipes *pipes, struct job *job)
{
	struct piped *piped = calloc(1, sizeof(*piped));

	if (!piped)
		abort();
	ramfilter_init(&piped->conduit.filter);
	minder_init(&piped->minder);
	piped->conduit.pipes = *pipes;
	piped->conduit.job = job;
	return piped;
}

void piped_free(struct piped *piped)
{
	if (!piped)
		return;
	conduit_stop(&piped->conduit);
	minder_stop(&piped->minder);
	free(piped);
}

static void check_capabilities(struct source *source, const json_t *capabilities)
{
	static const char *const unfit[] = {
		"x-ignore-shared", "multifd", "postcopy-ram", "xbzrle", "compress", "block",
		"x-colo", "background-snapshot", "mapped-ram", "switchover-ack",
	};
	struct fault why;
	bool any = false;
	size_t i;

	for (i = 0; i < sizeof(unfit) / sizeof(*unfit); i++) {
		if (!qmp_has_capability(capabilities, unfit[i]))
			continue;
		any = true;
		fail(&why, "QEMU's capability %s is on; switch it off, or use vmfastmig migrate",
		     unfit[i]);
		preflight_note(source->checks, "capabilities", -1, &why, NULL);
	}
	if (!any)
		preflight_note(source->checks, "capabilities", 0, NULL,
			       "source: as a migration into a pipe needs them");
}

void piped_check_room(struct source *source)
{
	uint64_t holes_bytes = 0, free_bytes = ram_free_bytes();
	const struct guest *guest = &source->guest;
	struct fault why;
	unsigned int i;

	for (i = 0; i < guest->regions; i++)
		holes_bytes += guest->region[i].bytes;
	holes_bytes -= source_present_bytes(guest);
	if (holes_bytes > free_bytes)
		fail(&why, "source: QEMU reads all RAM, for which %llu MiB more are needed here and %llu MiB are free; free some, or use vmfastmig migrate",
		     (unsigned long long)holes_bytes >> 20, (unsigned long long)free_bytes >> 20);
	preflight_note(source->checks, "room", holes_bytes > free_bytes, &why,
		       "source: for all RAM");
}

/* What "running" will be said of, if it comes back: QEMU may have stopped it already. */
static bool runs(const char *status, bool before)
{
	if (!strcmp(status, "finish-migrate") || !strcmp(status, "postmigrate"))
		return before;
	return !strcmp(status, "running");
}

int piped_connect(struct source *source, struct fault *fault)
{
	if (source_connect(source, fault))
		return -1;
	source->was_running = runs(guest_text(&source->guest, "status"), true);
	json_object_set_new(source->guest.facts, "piped", json_true());
	return 0;
}

int piped_preflight(struct source *source, struct fault *fault)
{
	json_t *capabilities = NULL;

	if (qmp_call(&source->qmp, "query-migrate-capabilities", NULL, &capabilities, fault))
		return -1;
	source->piped->return_path = qmp_has_capability(capabilities, "return-path");
	source->piped->pauses = qmp_has_capability(capabilities, "pause-before-switchover");
	check_capabilities(source, capabilities);
	if (!source->options.max_slowdown && qmp_has_capability(capabilities, "auto-converge"))
		source->options.max_slowdown = URI_SLOWDOWN_MOST;
	json_decref(capabilities);
	piped_check_room(source);
	return source_preflight(source, fault);
}

static int start_conduit(struct source *source, struct fault *fault)
{
	struct conduit *conduit = &source->piped->conduit;
	const struct guest *guest = &source->guest;
	unsigned int i;
	int stream;

	for (i = 0; i < guest->regions; i++)
		if (ramfilter_leave_out(&conduit->filter, guest->region[i].id,
					guest->region[i].bytes, fault))
			return -1;
	if (conduit_start(conduit, &stream, fault))
		return -1;
	return stream_start(&source->stream, stream, &source->data, true, fault);
}

static int wait_mark(struct source *source, enum ramfilter_mark mark, int timeout_ms,
		     struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + timeout_ms;

	while (conduit_at(&source->piped->conduit) < mark) {
		if (job_cancelled(source->job))
			return fail(fault, "cancelled");
		if (clock_ms() > deadline_ms)
			return fail(fault, "QEMU's stream does not come to its pages in %d s",
				    timeout_ms / 1000);
		usleep(1000);
	}
	return 0;
}

int piped_start(struct source *source, struct fault *fault)
{
	return start_conduit(source, fault) ?:
	       wait_mark(source, RAMFILTER_PAGES, SETUP_MS, fault);
}

unsigned int piped_downtime_ms(const struct source *source)
{
	unsigned int limit_ms = source->options.downtime_ms / 5;

	return limit_ms < 10 ? 10 : limit_ms;
}

int piped_prepare(struct source *source, struct fault *fault)
{
	struct piped *piped = source->piped;

	if (source_open_data(source, fault) ||
	    source_keep_settings(source, fault) ||
	    guest_change_limits(&source->qmp, piped_downtime_ms(source), fault) ||
	    start_conduit(source, fault) ||
	    minder_start(&piped->minder, &source->qmp, source->job, fault))
		return -1;
	return wait_mark(source, RAMFILTER_PAGES, SETUP_MS, fault);
}

/* The monitor is ours for a while. */
static int read_running(struct source *source, struct fault *fault)
{
	struct minder *minder = &source->piped->minder;
	char status[32];

	minder_stop(minder);
	if (job_cancelled(source->job))
		return fail(fault, "cancelled");
	if (guest_status(&source->qmp, status, sizeof(status), fault))
		return -1;
	source->was_running = runs(status, source->was_running);
	atomic_store(&minder->period_ms, QUICK_MS);
	return minder_start(minder, &source->qmp, source->job, fault);
}

static bool is_stopped(struct piped *piped)
{
	return conduit_at(&piped->conduit) == RAMFILTER_STOPPED ||
	       minder_is(&piped->minder, "pre-switchover");
}

static void wait_stopped(struct source *source, int timeout_ms)
{
	uint64_t deadline_ms = clock_ms() + timeout_ms;

	while (!is_stopped(source->piped) && !job_cancelled(source->job) &&
	       clock_ms() < deadline_ms)
		usleep(500);
}

int piped_flow(struct source *source, struct fault *fault)
{
	uint64_t limit_ms = FLOW_MS + source->last.total_bytes / FLOW_RATE;
	uint64_t deadline_ms = clock_ms() + limit_ms;

	conduit_pass(&source->piped->conduit, RAMFILTER_PAGES);
	while (!is_stopped(source->piped)) {
		if (clock_ms() > deadline_ms)
			return fail(fault, "QEMU does not stop the guest in %llu s",
				    (unsigned long long)limit_ms / 1000);
		if (source_round(source, fault))
			return -1;
		if (source->last.round.dirty_pages < FEW_PAGES)
			wait_stopped(source, PAUSE_MS);
		if (job_cancelled(source->job))
			return fail(fault, "cancelled");
	}
	return 0;
}

int piped_switchover(struct source *source, struct fault *fault)
{
	if (read_running(source, fault) || source_tell_switchover(source, fault))
		return -1;
	source->migrating = true;
	if (source_write_journal(source, false, fault))
		return -1;
	return piped_flow(source, fault);
}

int piped_final(struct source *source, struct fault *fault)
{
	struct minder *minder = &source->piped->minder;

	if (source_begin_final(source, fault) || source_end_final(source, fault))
		return -1;
	pthread_mutex_lock(&minder->lock);
	source->stop_ns = minder->stop_ns ? minder->stop_ns : source->stage_ns;
	pthread_mutex_unlock(&minder->lock);
	return 0;
}

static int go_on(struct source *source, struct fault *fault)
{
	struct minder *minder = &source->piped->minder;

	if (!minder_is(minder, "pre-switchover"))
		return 0;
	minder_stop(minder);
	if (job_cancelled(source->job))
		return fail(fault, "cancelled");
	if (qmp_call(&source->qmp, "migrate-continue", json_pack("{s:s}", "state", "pre-switchover"),
		     NULL, fault))
		return -1;
	return minder_start(minder, &source->qmp, source->job, fault);
}

int piped_device_state(struct source *source, struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + SOURCE_LOAD_MS;

	if (job_cancelled(source->job))
		return fail(fault, "cancelled");
	stream_open_gate(&source->stream);
	conduit_pass(&source->piped->conduit, RAMFILTER_STOPPED);
	if (go_on(source, fault))
		return -1;
	while (!chan_readable(&source->control, PAUSE_MS)) {
		if (job_cancelled(source->job))
			return fail(fault, "cancelled");
		if (clock_ms() > deadline_ms)
			return fail(fault, "the destination has not loaded the device state in %d s",
				    SOURCE_LOAD_MS / 1000);
	}
	return source_expect(source, "loaded", 1000, fault);
}

int piped_hand_over(struct source *source, struct fault *fault)
{
	if (job_cancelled(source->job))
		return fail(fault, "cancelled");
	job_mark(source->job, "saved", atomic_load(&source->stream.forward_ns));
	stream_open_return(&source->stream);
	conduit_tell_child(&source->piped->conduit, json_pack("{s:b}", "completed", 1));
	if (minder_wait(&source->piped->minder, "completed", SOURCE_ANSWER_MS, fault))
		return -1;
	minder_stop(&source->piped->minder);
	return 0;
}

/*
 * QEMU fails by itself once its pipes are closed, and that is what its user shall see:
 * to be cancelled is for one that does not.
 */
static void wait_failed(struct source *source)
{
	uint64_t deadline_ms = clock_ms() + FAIL_MS;

	if (source->piped->pauses)
		return;
	while (resume_is_migrating(&source->qmp) && clock_ms() < deadline_ms)
		usleep(20000);
}

void piped_undo(struct source *source, struct fault *fault)
{
	struct piped *piped = source->piped;

	if (!minder_failed(&piped->minder, fault) && atomic_load(&piped->conduit.failed))
		*fault = piped->conduit.why;
	atomic_store(&piped->conduit.refuses, piped->return_path);
	conduit_tell_child(&piped->conduit, json_pack("{s:b,s:s}", "completed", 0, "error",
						      fault->text));
	conduit_stop(&piped->conduit);
	minder_stop(&piped->minder);
	source->migrating = source->qmp.fd >= 0;
	if (source->migrating)
		wait_failed(source);
}

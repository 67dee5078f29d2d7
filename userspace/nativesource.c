// SPDX-License-Identifier: GPL-2.0-only
/*
 * The source of a migration that a QEMU of its own accord drives (native.h): what
 * converge.c and switchover.c decide elsewhere, QEMU asks for. It stops the guest
 * by its own rules, asks for the last round then, and saves its devices only once
 * all RAM is at the destination. It completes when we say that the commit is done,
 * and fails when we say anything else, or nothing and are gone.
 */
#include <string.h>

#include "clock.h"
#include "source.h"

#define SLICE_MS	100	/* QEMU is answered after that, round or not */
#define PAUSE_MS	20	/* between two rounds of a few pages */
#define FEW_PAGES	256
#define NSEC_PER_MS	1000000ULL
#define NO_LIMIT	-1

/* The round in hand, or the rest after one. */
struct turn {
	bool under_way;
	uint64_t pages, before;		/* to be seen to in it; seen to before it */
	uint64_t rest_until_ns;
	uint64_t pace, bandwidth;	/* as the module was told */
};

int native_connect(struct source *source, struct fault *fault)
{
	struct native *native = source->native;

	source->guest = native->guest;
	native->guest = (struct guest){ 0 };
	if (source->options.paused)
		return fail(fault, "paused: start the destination's QEMU with -S instead");
	source->was_running = !strcmp(guest_text(&source->guest, "status"), "running");
	job_set(source->job, "guest", json_string(guest_text(&source->guest, "name")));
	return door_open(&source->door, fault) ?: source_call_peer(source, fault);
}

int native_prepare(struct source *source, struct fault *fault)
{
	return source_open_data(source, fault);
}

static uint64_t seen_to(const struct door_session *session)
{
	return session->sent_pages + session->hole_pages + session->zero_pages;
}

/* What would have to go if the guest stopped now. */
static uint64_t pending_pages(const struct source *source, const struct turn *turn)
{
	const struct door_session *last = &source->last;
	uint64_t done = seen_to(last) - turn->before;

	return last->dirty_pages +
	       (turn->under_way && done < turn->pages ? turn->pages - done : 0);
}

static int answer(struct source *source, const struct turn *turn, struct fault *fault)
{
	const struct door_session *last = &source->last;

	return native_say(source->native, json_pack("{s:I,s:I,s:I,s:I,s:I}", "pending",
			  (json_int_t)pending_pages(source, turn) << 12,
			  "total", (json_int_t)last->total_bytes,
			  "sent", (json_int_t)last->sent_pages << 12,
			  "zero", (json_int_t)(last->zero_pages + last->hole_pages) << 12,
			  "rate", (json_int_t)source->converge.rate), fault);
}

static int look(struct source *source, struct fault *fault)
{
	return door_session_get(&source->door, source->session, &source->last, fault) ?
	       source_why(source, fault) : 0;
}

static int begin_round(struct source *source, struct turn *turn, struct fault *fault)
{
	if (look(source, fault))
		return -1;
	turn->pages = source->last.dirty_pages;
	turn->before = seen_to(&source->last);
	if (door_session_do(&source->door, VMFM_CMD_SESSION_ROUND, source->session, 0, fault))
		return source_why(source, fault);
	turn->under_way = true;
	return 0;
}

/* QEMU judges whether it converges; what slows a guest down is for converge.c. */
static int end_round(struct source *source, struct turn *turn, struct fault *fault)
{
	const struct door_round *round = &source->last.round;
	struct converge *converge = &source->converge;
	uint64_t rest_ms;

	turn->under_way = false;
	converge_round(converge, round->bytes, round->time_ns, round->dirty_pages << 12,
		       round->kept_pages << 12);
	rest_ms = converge->pause_ms;
	if (round->dirty_pages < FEW_PAGES && rest_ms < PAUSE_MS)
		rest_ms = PAUSE_MS;
	turn->rest_until_ns = clock_ns() + rest_ms * NSEC_PER_MS;
	if (converge->pace == turn->pace)
		return 0;
	turn->pace = converge->pace;
	return door_session_pace(&source->door, source->session, turn->pace, fault);
}

static int set_bandwidth(struct source *source, const json_t *words, struct turn *turn,
			 struct fault *fault)
{
	json_t *value = json_object_get(words, "bandwidth");
	json_int_t limit = json_integer_value(value);
	uint64_t bandwidth = source->options.bandwidth;

	if (value && (!json_is_integer(value) || limit < 0))
		return fail(fault, "QEMU's bandwidth is not a number of bytes a second");
	if (!bandwidth)
		bandwidth = limit;
	if (bandwidth == turn->bandwidth)
		return 0;
	turn->bandwidth = bandwidth;
	return door_session_bandwidth(&source->door, source->session, bandwidth, fault);
}

/* Not for long: QEMU wants to go on looking for a cancel. */
static void rest(struct source *source, const struct turn *turn)
{
	uint64_t now_ns = clock_ns(), left_ms;
	struct pollfd early[2];

	if (now_ns >= turn->rest_until_ns)
		return;
	left_ms = (turn->rest_until_ns - now_ns) / NSEC_PER_MS + 1;
	watch_poll(&source->watch, early);
	poll(early, 2, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS);
}

/* A slice of a round, or of the rest before one. */
static int make_round(struct source *source, struct turn *turn, struct fault *fault)
{
	int got;

	rest(source, turn);
	if (clock_ns() < turn->rest_until_ns)
		return look(source, fault);
	if (!turn->under_way && begin_round(source, turn, fault))
		return -1;
	got = source_look_at_round(source, SLICE_MS, fault);
	return got ? (got < 0 ? -1 : 0) : end_round(source, turn, fault);
}

/* 1: the guest stands still, and the rest is to go. */
static int obey(struct source *source, const json_t *words, struct turn *turn,
		struct fault *fault)
{
	const char *what = json_string_value(json_object_get(words, "do")) ?: "";
	int err;

	if (!strcmp(what, "final"))
		return 1;
	if (!strcmp(what, "round"))
		err = set_bandwidth(source, words, turn, fault) ?: make_round(source, turn, fault);
	else if (!strcmp(what, "pending"))
		err = look(source, fault);
	else
		return fail(fault, "QEMU speaks out of turn");
	if (err)
		return -1;
	source_tell_progress(source);
	return answer(source, turn, fault);
}

/* Its next request, unless the peer or a cancel comes first. */
static int next(struct source *source, int timeout_ms, json_t **words, struct fault *fault)
{
	return native_next(source->native, timeout_ms, &source->watch, words, fault) ?
	       source_why(source, fault) : 0;
}

int native_precopy(struct source *source, struct fault *fault)
{
	const struct uri_options *options = &source->options;
	struct turn turn = { .bandwidth = options->bandwidth };
	json_t *words;
	int got;

	converge_init(&source->converge, options->downtime_ms, options->rounds,
		      options->max_slowdown);
	if (stream_start(&source->stream, native_take_stream(source->native), &source->data,
			 true, fault))
		return -1;
	do {
		if (next(source, NO_LIMIT, &words, fault))
			return -1;
		got = obey(source, words, &turn, fault);
		json_decref(words);
	} while (!got);
	return got < 0 ? -1 : turn.under_way ? source_wait_round(source, fault) : 0;
}

/* Both sides know that all RAM is there before QEMU saves a device. */
int native_final(struct source *source, struct fault *fault)
{
	source->stop_ns = source->stage_ns;
	return source_begin_final(source, fault) ?: source_end_final(source, fault) ?:
	       chan_send(&source->control, json_pack("{s:b}", "ram", 1), fault) ?:
	       source_expect(source, "ram", SOURCE_ANSWER_MS, fault);
}

static int expect(struct source *source, const char *what, int timeout_ms, struct fault *fault)
{
	return native_expect(source->native, "do", what, timeout_ms, &source->watch, fault) ?
	       source_why(source, fault) : 0;
}

/* QEMU has written all; it waits for the destination's word, or says no more. */
static int await_loaded(struct source *source, struct fault *fault)
{
	struct pollfd fds[3];

	watch_poll(&source->watch, fds);
	fds[2] = (struct pollfd){ .fd = source->native->lines.in, .events = POLLIN };
	if (poll(fds, 3, SOURCE_LOAD_MS) == 0)
		return fail(fault, "the destination has not loaded the device state in %d s",
			    SOURCE_LOAD_MS / 1000);
	if (fds[2].revents && !fds[1].revents)
		return fail(fault, NATIVE_GONE);
	if (job_cancelled(source->job))
		return fail(fault, "cancelled");
	return source_expect(source, "loaded", 1000, fault);
}

int native_device_state(struct source *source, struct fault *fault)
{
	const struct turn none = { 0 };

	if (job_cancelled(source->job))
		return fail(fault, "cancelled");
	stream_open_gate(&source->stream);
	source_tell_progress(source);
	if (answer(source, &none, fault))
		return -1;
	if (expect(source, "loaded", SOURCE_LOAD_MS, fault) || await_loaded(source, fault))
		return -1;
	job_mark(source->job, "saved", atomic_load(&source->stream.forward_ns));
	return native_say(source->native, json_pack("{s:b}", "loaded", 1), fault);
}

/* From here on QEMU takes no cancel, until it is answered. */
int native_hand_over(struct source *source, struct fault *fault)
{
	return expect(source, "commit", SOURCE_ANSWER_MS, fault);
}

/* A QEMU that does not hear of it knows, if we end, that nothing was committed. */
int native_commit(struct source *source, struct fault *fault)
{
	struct fault ignored;
	int err = native_say(source->native, json_pack("{s:b}", "committing", 1), fault) ?:
		  source_commit(source, fault);

	if (!err)
		native_say(source->native, json_pack("{s:b}", "committed", 1), &ignored);
	else if (source->committed)
		native_say(source->native, json_pack("{s:s,s:b}", "error", fault->text,
						     "unknown", 1), &ignored);
	return err;
}

void native_undo(struct source *source, const struct fault *fault)
{
	struct fault ignored;

	native_say(source->native, json_pack("{s:s}", "error", fault->text), &ignored);
}

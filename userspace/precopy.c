// SPDX-License-Identifier: GPL-2.0-only
/* Rounds while the guest runs, until what is left fits the downtime target. */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "source.h"

#define START_MS	30000

int source_start(struct source *source, struct fault *fault)
{
	struct door_spec spec = { .role = VMFM_ROLE_SOURCE, .addr = source->rdma,
				  .bandwidth = source->options.bandwidth,
				  .send_zeros = source->options.send_zeros };
	struct door_session session;
	unsigned int i;

	memcpy(spec.token, source->token, sizeof(spec.token));
	if (config.rdma_addr.ss_family)
		spec.peer = config.rdma_addr;
	for (i = 0; i < source->guest.regions; i++) {
		strcpy(spec.region[i].name, source->guest.region[i].id);
		spec.region[i].fd = source->guest.region[i].fd;
	}
	spec.regions = source->guest.regions;
	if (door_session_new(&source->door, &spec, &source->session, NULL, fault) ||
	    door_session_do(&source->door, VMFM_CMD_SESSION_START, source->session, 0, fault))
		return -1;
	return door_session_wait(&source->door, source->session, VMFM_STATE_READY, START_MS,
				 &source->watch, &session, fault) ? source_why(source, fault) : 0;
}

void source_tell_progress(struct source *source)
{
	const struct converge *converge = &source->converge;
	const struct door_session *last = &source->last;

	job_set(source->job, "progress", json_pack(
		"{s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "round", (int)last->round.number,
		"total_bytes", (json_int_t)last->total_bytes,
		"present_bytes", (json_int_t)last->present_pages << 12,
		"sent_bytes", (json_int_t)last->sent_pages << 12,
		"dirty_bytes", (json_int_t)last->dirty_pages << 12,
		"rate", (json_int_t)converge->rate, "dirty_rate", (json_int_t)converge->dirty_rate,
		"pace", (json_int_t)converge->pace,
		"expected_downtime_ms", (json_int_t)(converge->rounds ? converge->expected_ms : 0)));
}

static int check_time(struct source *source, struct fault *fault)
{
	unsigned int limit_s = source->options.timeout_s;

	return limit_s && clock_ns() - source->start_ns > limit_s * 1000000000ULL ?
	       fail(fault, "not done in %u s", limit_s) : 0;
}

/* What somebody wishes to be otherwise, in the middle of it. */
static void heed(struct source *source)
{
	json_t *wishes = job_take_wishes(source->job), *value;
	struct uri_options *options = &source->options;
	uint64_t bandwidth = options->bandwidth;
	struct fault fault;
	const char *key;

	if (!wishes)
		return;
	json_object_foreach(wishes, key, value)
		if (uri_option(options, key, json_string_value(value), &fault))
			log_warn("job %u: %s", source->job->id, fault.text);
	json_decref(wishes);
	converge_limit(&source->converge, options->downtime_ms, options->rounds,
		       options->max_slowdown);
	if (options->bandwidth != bandwidth &&
	    door_session_bandwidth(&source->door, source->session, options->bandwidth, &fault))
		log_warn("job %u: bandwidth stays as it was: %s", source->job->id, fault.text);
}

/* All marks but those of the reference rule. */
static uint64_t written_bytes(const struct door_session *session)
{
	return session->marked_pages > session->kept_pages ?
	       (session->marked_pages - session->kept_pages) << 12 : 0;
}

int source_look_at_round(struct source *source, int timeout_ms, struct fault *fault)
{
	struct pollfd early[2];
	int err = door_session_wait(&source->door, source->session, VMFM_STATE_READY, timeout_ms,
				    &source->watch, &source->last, fault);

	converge_sample(&source->converge, written_bytes(&source->last), clock_ns());
	if (!err) {
		source_note_round(source, &source->last.round);
		return 0;
	}
	source_tell_progress(source);
	watch_poll(&source->watch, early);
	return source->last.state == VMFM_STATE_ROUND && poll(early, 2, 0) == 0 ? 1 :
	       source_why(source, fault);
}

int source_wait_round(struct source *source, struct fault *fault)
{
	int got;

	do {
		got = source_look_at_round(source, 200, fault);
		heed(source);
	} while (got > 0 && !check_time(source, fault));
	return got > 0 ? source_why(source, fault) : got;
}

/* What the last verdict allows the guest from now on. */
static int set_pace(struct source *source, uint64_t *pace, struct fault *fault)
{
	if (source->converge.pace == *pace)
		return 0;
	*pace = source->converge.pace;
	return door_session_pace(&source->door, source->session, *pace, fault);
}

int source_round(struct source *source, struct fault *fault)
{
	return door_session_do(&source->door, VMFM_CMD_SESSION_ROUND, source->session, 0, fault) ?:
	       source_wait_round(source, fault);
}

/* Whoever ends it early is seen to by the next round. */
static void rest(struct source *source)
{
	struct pollfd early[2];

	watch_poll(&source->watch, early);
	poll(early, 2, source->converge.pause_ms);
}

int source_precopy(struct source *source, struct fault *fault)
{
	enum converge_verdict verdict = CONVERGE_ROUND;
	struct converge *converge = &source->converge;
	char held[64] = "";
	uint64_t pace = 0;

	converge_init(converge, source->options.downtime_ms, source->options.rounds,
		      source->options.max_slowdown);
	while (verdict == CONVERGE_ROUND) {
		const struct door_round *round = &source->last.round;

		heed(source);
		if (check_time(source, fault) || set_pace(source, &pace, fault) ||
		    source_round(source, fault))
			return -1;
		verdict = converge_round(converge, round->bytes, round->time_ns,
					 round->dirty_pages << 12, round->kept_pages << 12);
		source_tell_progress(source);
		if (verdict == CONVERGE_ROUND)
			rest(source);
	}
	job_heeds(source->job, false);
	if (verdict == CONVERGE_SWITCH || source->options.force)
		return 0;
	if (source->last.round.kept_pages)
		snprintf(held, sizeof(held), " (%.1f MB of it held by I/O or by KVM)",
			 source->last.round.kept_pages * 4096 / 1e6);
	return fail(fault, "does not converge: after %u rounds the guest dirties %.1f MB/s, the link carries %.1f MB/s, and what is left%s takes %llu ms for a target of %u ms; raise downtime= or max-slowdown=, or use force",
		    converge->rounds, converge->dirty_rate / 1e6, converge->rate / 1e6, held,
		    (unsigned long long)converge->expected_ms, source->options.downtime_ms);
}

// SPDX-License-Identifier: GPL-2.0-only
/* What was measured, as one JSON object: Documentation/downtime.md describes it. */
#include <stdio.h>
#include <string.h>

#include "../clock.h"
#include "../cmd.h"
#include "measure.h"
#include "parts.h"
#include "series.h"

/* A probe that did not run itself for this long is no witness of gaps like that. */
#define OWN_GAP_MS 5.0
/* Silence up to the end that is more than replies still under way. */
#define SILENCE_MS 1000.0

static const struct series *any_series(struct measure *measure)
{
	return measure_series(measure, false) ?: measure_series(measure, true);
}

static json_t *or_null(json_t *value)
{
	return value ? json_incref(value) : json_null();
}

/* Before, during and after the migration; empty ones where there was none. */
static void find_windows(const struct measure *measure, struct series_window windows[3])
{
	uint64_t begin = measure->migrate_ns, end = measure->end_ns;

	windows[0] = (struct series_window){ measure->start_ns, begin ?: UINT64_MAX };
	windows[1] = (struct series_window){ begin, begin ? end ?: UINT64_MAX : 0 };
	windows[2] = (struct series_window){ end, end ? UINT64_MAX : 0 };
}

static json_t *window_json(const struct series_window *window)
{
	return window->to_ns ? json_pack("{s:I,s:I,s:f}", "from_ns", (json_int_t)window->from_ns,
					 "to_ns", (json_int_t)window->to_ns, "ms",
					 (window->to_ns - window->from_ns) / 1e6) : json_null();
}

/* The last request: who answers none after the last reply is silent up to it. */
static uint64_t end_of(const struct series *series)
{
	size_t count = series->count;

	return count ? series->samples[count - 1].sent_ns : 0;
}

/* The longest that has to do with the migration, or of all when there was none. */
static struct series_window longest_gap(const struct measure *measure, const struct series *series)
{
	uint64_t begin = measure->migrate_ns, end = measure->end_ns;
	struct series_window within = SERIES_ALL;

	if (begin && measure->options->uri)
		within = (struct series_window){ begin, end ?: UINT64_MAX };
	return series_longest_gap(series, within, end_of(series));
}

static json_t *probe_json(struct measure *measure, bool tcp)
{
	const struct measure_options *options = measure->options;
	const struct series *series = measure_series(measure, tcp);
	struct series_window windows[3], longest;

	if (!series)
		return json_null();
	find_windows(measure, windows);
	longest = longest_gap(measure, series);
	return json_pack("{s:i,s:f,s:o,s:o,s:o,s:o,s:o,s:f}",
			 "rate_hz", tcp ? options->tcp_hz : options->hz,
			 "gap_threshold_ms", options->gap_ms,
			 "longest_gap", window_json(&longest),
			 "gaps", series_gaps(series, options->gap_ms * 1e6, end_of(series)),
			 "before", series_stats(series, windows[0]),
			 "during", series_stats(series, windows[1]),
			 "after", series_stats(series, windows[2]),
			 "own_gap_ms", series->own_gap_ns / 1e6);
}

static json_t *rate_of(const struct series *series, struct series_window window)
{
	json_t *stats = series_stats(series, window);
	json_t *rate = or_null(json_object_get(stats, "work_per_s"));

	json_decref(stats);
	return rate;
}

/* From the last reply before it to the first at its end: the time without any is in it. */
static json_t *rate_during(const struct series *series, struct series_window window)
{
	uint64_t from_ns = window.to_ns ? series_last_reply_before(series, window.from_ns) : 0;
	uint64_t to_ns = window.to_ns ? series_first_reply_after(series, window.to_ns) : 0;
	double rate = from_ns && to_ns ? series_work_per_s(series, from_ns, to_ns) : -1;

	return rate >= 0 ? json_real(rate) : json_null();
}

static json_t *throughput_json(struct measure *measure)
{
	const struct series *series = any_series(measure);
	struct series_window windows[3];
	json_t *rates[3];
	double before, during;
	int i;

	find_windows(measure, windows);
	for (i = 0; i < 3; i++)
		rates[i] = i == 1 ? rate_during(series, windows[i]) : rate_of(series, windows[i]);
	before = json_number_value(rates[0]);
	during = json_number_value(rates[1]);
	return json_pack("{s:o,s:o,s:o,s:o}", "before", rates[0], "during", rates[1], "after",
			 rates[2], "ratio", before > 0 && json_is_number(rates[1]) ?
			 json_real(during / before) : json_null());
}

/* What was counted between two of the guest's answers; they may be anything. */
static json_t *counted(json_t *const replies[2])
{
	json_t *from = json_object_get(json_object_get(replies[0], "write_latency"), "count");
	json_t *to = json_object_get(json_object_get(replies[1], "write_latency"), "count");
	json_t *counts = json_array();
	size_t i;

	for (i = 0; i < json_array_size(from) && i < json_array_size(to); i++)
		json_array_append_new(counts, json_integer(
			(uint64_t)json_integer_value(json_array_get(to, i)) -
			(uint64_t)json_integer_value(json_array_get(from, i))));
	return counts;
}

static json_t *latency_json(struct measure *measure)
{
	json_t *bounds = json_object_get(json_object_get(measure->replies[0], "write_latency"),
					 "bound_ns");

	return !json_is_array(bounds) ? json_null() :
	       json_pack("{s:O,s:o,s:o,s:o}", "bound_ns", bounds,
			 "before", counted(measure->replies), "during", counted(measure->replies + 1),
			 "after", counted(measure->replies + 2));
}

static double longest_stall_ms(const json_t *reply)
{
	json_int_t longest = 0, one;
	json_t *vcpu;
	size_t i;

	json_array_foreach(json_object_get(reply, "vcpus"), i, vcpu) {
		one = int_of(vcpu, "longest_stall_us");
		longest = one > longest ? one : longest;
	}
	return longest / 1e3;
}

static json_t *clock_stop_json(struct measure *measure, const json_t *marks)
{
	json_t *stop = parts_stop(marks), *resume = parts_resume(marks);
	const struct series *series = any_series(measure);
	struct series_window gap = longest_gap(measure, series);
	double ms;

	if (stop && resume)
		gap = (struct series_window){ int_of(stop, "ns"), int_of(resume, "ns") };
	ms = gap.to_ns ? series_clock_stop_ms(series, gap.from_ns, gap.to_ns) : -1;
	return ms >= 0 ? json_real(ms) : json_null();
}

/* What the guest's clock missed and what its ticker did, which goes by that clock. */
static json_t *guest_downtime_json(const json_t *clock_stop, const json_t *jump)
{
	return json_is_real(clock_stop) && json_is_real(jump) ?
	       json_real(json_real_value(clock_stop) + json_real_value(jump)) : json_null();
}

static json_t *guest_json(struct measure *measure, const json_t *marks)
{
	const json_t *during = measure->replies[2], *after = measure->replies[3];
	json_t *clock_stop, *jump;

	if (!any_series(measure))
		return json_null();
	clock_stop = clock_stop_json(measure, marks);
	jump = during ? json_real(int_of(during, "longest_jump_us") / 1e3) : json_null();
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o}",
			 "downtime_ms", guest_downtime_json(clock_stop, jump),
			 "clock_stop_ms", clock_stop, "longest_jump_ms", jump,
			 "longest_stall_ms", during ? json_real(longest_stall_ms(during)) : json_null(),
			 "errors", after ? json_integer(int_of(after, "errors")) : json_null(),
			 "throughput", throughput_json(measure), "write_latency", latency_json(measure));
}

static json_t *number_or_null(const json_t *object, const char *key)
{
	return or_null(json_object_get(object, key));
}

static json_t *qemu_json(const struct measure *measure)
{
	json_t *source = measure->qemu[WHERE_SOURCE], *destination = measure->qemu[WHERE_DESTINATION];

	return json_pack("{s:o,s:o,s:o,s:o}", "source", or_null(source), "destination",
			 or_null(destination), "downtime_ms", number_or_null(source, "downtime"),
			 "total_ms", number_or_null(source, "total-time"));
}

static json_t *cpu_json(const struct measure *measure, enum where where)
{
	const json_t *before = json_object_get(measure->usage[where][0], "cpu_s");
	const json_t *after = json_object_get(measure->usage[where][1], "cpu_s");

	return !before || !after ? json_null() :
	       json_real(json_number_value(after) - json_number_value(before));
}

/* The most that was seen while it migrated. */
static json_t *pinned_json(const struct measure *measure, enum where where)
{
	json_int_t bytes = measure->pinned_bytes[where];

	return bytes >= 0 ? json_integer(bytes) : json_null();
}

static json_t *clock_json(const struct measure *measure, enum where where)
{
	const struct remote *remote = &measure->remotes[where];
	const struct remote_sync *last;

	if (!remote->sync_count)
		return json_null();
	last = &remote->syncs[remote->sync_count - 1];
	return json_pack("{s:I,s:I}", "offset_ns", (json_int_t)last->offset_ns, "error_ns",
			 (json_int_t)last->error_ns);
}

/*
 * The replies around the stop are marks, too. With the first one after it the migration is
 * over, whoever drove it, and whatever is tidied up later.
 */
json_t *measure_marks(struct measure *measure)
{
	const struct remote *const remotes[] = { &measure->remotes[0], &measure->remotes[1] };
	const struct series *series = any_series(measure);
	json_t *marks = timeline_json(&measure->timeline, remotes);
	json_t *stop = parts_stop(marks), *resume = parts_resume(marks);
	uint64_t ns = 0;

	if (series && stop)
		ns = series_last_reply_before(series, int_of(stop, "ns"));
	if (ns)
		timeline_mark(&measure->timeline, WHERE_CLIENT, "last reply", ns);
	ns = series && resume ?
	     series_first_reply_after(series, int_of(resume, "ns")) : 0;
	if (ns) {
		timeline_mark(&measure->timeline, WHERE_CLIENT, "reply", ns);
		measure->end_ns = ns;
	}
	json_decref(marks);
	return timeline_json(&measure->timeline, remotes);
}

static json_t *time_json(json_int_t ns)
{
	return ns ? json_integer(ns) : json_null();
}

static json_t *downtime_json(struct measure *measure, const json_t *marks)
{
	const struct series *series = any_series(measure);
	struct series_window gap = { 0, 0 };
	json_t *parts = parts_of(marks);

	if (series)
		gap = longest_gap(measure, series);
	if (json_is_object(parts))
		json_object_set_new(parts, "client_ms", gap.to_ns ?
				    json_real((gap.to_ns - gap.from_ns) / 1e6) : json_null());
	return parts;
}

static void warn_probe(struct measure *measure, bool tcp, json_t *warnings)
{
	struct fault ended;
	const struct series *series = measure_series(measure, tcp);
	struct series_window longest = { 0, 0 };
	double own_ms, gap_ms;

	if (!series)
		return;
	if (probe_failed(tcp ? &measure->tcp : &measure->udp, &ended))
		json_array_append_new(warnings, json_string(ended.text));
	longest = longest_gap(measure, series);
	own_ms = series->own_gap_ns / 1e6;
	gap_ms = (longest.to_ns - longest.from_ns) / 1e6;
	if (own_ms > OWN_GAP_MS && own_ms > gap_ms / 4)
		json_array_append_new(warnings, json_sprintf(
			"the %s probe itself did not run for %.1f ms: gaps of that size mean nothing; pin it (--cpu) or use a quieter machine",
			tcp ? "TCP" : "UDP", own_ms));
	if (longest.to_ns && longest.to_ns == end_of(series) && gap_ms > SILENCE_MS)
		json_array_append_new(warnings, json_sprintf(
			"the guest did not answer the %s probe any more for the last %.1f s",
			tcp ? "TCP" : "UDP", gap_ms / 1e3));
}

static json_t *warnings_json(struct measure *measure, const json_t *downtime)
{
	double error_ms = json_number_value(json_object_get(downtime, "error_ms"));
	json_t *warnings = json_array();

	warn_probe(measure, false, warnings);
	warn_probe(measure, true, warnings);
	if (error_ms > 1)
		json_array_append_new(warnings, json_sprintf(
			"the hosts' clocks are known to %.1f ms only: so are the parts of the downtime",
			error_ms));
	if (measure->timeline.lost)
		json_array_append_new(warnings, json_sprintf("%u events more than fit were left out",
							     measure->timeline.lost));
	return warnings;
}

int measure_verdict(const struct measure *measure, const json_t *marks, struct fault *fault)
{
	json_int_t errors = int_of(measure->replies[3], "errors") -
			    int_of(measure->replies[1], "errors");

	if (measure->replies[3] && errors > 0)
		return fail(fault, "the guest found its memory wrong, %" JSON_INTEGER_FORMAT " times: see its console",
			    errors);
	if (measure->gone[WHERE_DESTINATION])
		return fail(fault, "the QEMU on the destination went away after the guest had come there: see its log");
	if ((measure->probing[0] || measure->probing[1]) && measure->options->after_s > 0 &&
	    parts_resume(marks) && !timeline_find(marks, where_name(WHERE_CLIENT), "reply"))
		return fail(fault, "the guest runs on the destination, and does not answer there for %g s: see its console and its network",
			    measure->options->after_s);
	return 0;
}

json_t *measure_result(struct measure *measure, json_t *marks, const struct fault *fault)
{
	const struct measure_options *options = measure->options;
	json_t *downtime = downtime_json(measure, marks);
	json_t *result = json_pack("{s:b,s:s?,s:b,s:o,s:o,s:o,s:{s:o,s:o},s:{s:o,s:o}}",
		"partial", fault != NULL, "uri", options->uri, "observe", !options->uri,
		"start_ns", time_json(measure->start_ns), "migrate_ns",
		time_json(measure->migrate_ns), "end_ns", time_json(measure->end_ns),
		"clock", "source", clock_json(measure, WHERE_SOURCE),
		"destination", clock_json(measure, WHERE_DESTINATION),
		"client", "udp", probe_json(measure, false), "tcp", probe_json(measure, true));

	if (fault)
		json_object_set_new(result, "error", json_string(fault->text));
	json_object_set_new(result, "guest", guest_json(measure, marks));
	json_object_set_new(result, "qemu", qemu_json(measure));
	json_object_set_new(result, "module", or_null(measure->reports[WHERE_SOURCE]));
	json_object_set_new(result, "warnings", warnings_json(measure, downtime));
	json_object_set_new(result, "downtime", downtime);
	json_object_set_new(result, "marks", marks);
	json_object_set_new(result, "cpu_s", json_pack("{s:o,s:o}", "source",
			    cpu_json(measure, WHERE_SOURCE), "sink",
			    cpu_json(measure, WHERE_DESTINATION)));
	json_object_set_new(result, "pinned_bytes", json_pack("{s:o,s:o}", "source",
			    pinned_json(measure, WHERE_SOURCE), "sink",
			    pinned_json(measure, WHERE_DESTINATION)));
	return result;
}

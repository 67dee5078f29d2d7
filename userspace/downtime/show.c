// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "../cmd.h"
#include "csv.h"
#include "show.h"
#include "show_number.h"

/* Lines: what it is about, a number that ends at the same column, what the number says. */
#define TELL(stream, about, format, ...) cmd_say(stream, "%-9s " format, about, __VA_ARGS__)

static const json_t *path(const json_t *object, const char *first, const char *second)
{
	return json_object_get(json_object_get(object, first), second);
}

static void tell_title(FILE *stream, const json_t *result)
{
	const char *uri = text_of(result, "uri"), *error = text_of(result, "error");

	cmd_say(stream, "migration %s", *uri ? uri : "observed");
	if (*error)
		cmd_say(stream, "error     %s", error);
	if (json_is_true(json_object_get(result, "partial")))
		cmd_say(stream, "partial   what follows was measured up to there");
}

static void tell_gap(FILE *stream, const char **about, const json_t *result, const char *probe,
		     const char *name)
{
	const json_t *measured = path(result, "client", probe);
	const json_t *gap = json_object_get(measured, "longest_gap");
	json_int_t start_ns = int_of(result, "start_ns");
	char text[NUMBER_BYTES];

	if (!json_is_object(measured))
		return;
	if (json_is_object(gap))
		TELL(stream, *about, "%10s ms  seen by a client over %s, from %.4f s to %.4f s",
		     show_ms(text, json_object_get(gap, "ms")), name,
		     csv_ms(start_ns, int_of(gap, "from_ns")) / 1e3,
		     csv_ms(start_ns, int_of(gap, "to_ns")) / 1e3);
	else
		TELL(stream, *about, "%10s ms  seen by a client over %s: too few replies", "-", name);
	*about = "";
}

static void tell_other(FILE *stream, const char **about, const json_t *value, const char *whose)
{
	char text[NUMBER_BYTES];

	if (!json_is_number(value))
		return;
	TELL(stream, *about, "%10s ms  %s", show_ms(text, value), whose);
	*about = "";
}

static void tell_gone(FILE *stream, const json_t *result)
{
	const json_t *guest = json_object_get(result, "guest");
	const char *about = "gone for";

	tell_gap(stream, &about, result, "udp", "UDP");
	tell_gap(stream, &about, result, "tcp", "TCP");
	tell_other(stream, &about, json_object_get(guest, "clock_stop_ms"),
		   "that the guest's clock stood still");
	tell_other(stream, &about, path(result, "qemu", "downtime_ms"), "said by QEMU");
	about = "inside";
	tell_other(stream, &about, json_object_get(guest, "longest_jump_ms"),
		   "longest jump of the guest's ticker");
	tell_other(stream, &about, json_object_get(guest, "longest_stall_ms"),
		   "longest stall of one of its vCPUs");
}

static void tell_parts(FILE *stream, const json_t *downtime)
{
	const json_t *total = json_object_get(downtime, "total_ms");
	const json_t *error = json_object_get(downtime, "error_ms");
	const char *about = "made of";
	char text[NUMBER_BYTES];
	json_t *part;
	size_t i;

	json_array_foreach(json_object_get(downtime, "parts"), i, part) {
		TELL(stream, about, "%10s ms  %s%s", show_ms(text, json_object_get(part, "ms")),
		     text_of(part, "name"), json_is_true(json_object_get(part, "attributed")) ? "" :
		     " (unattributed)");
		about = "";
	}
	if (!i)
		return;
	if (json_is_number(error))
		TELL(stream, "", "%10s ms  in all, ± %.2f ms between hosts", show_ms(text, total),
		     json_number_value(error));
	else
		TELL(stream, "", "%10s ms  in all", show_ms(text, total));
}

static void tell_replies(FILE *stream, const json_t *client)
{
	static const char *const windows[] = { "before", "during", "after" };
	static const char *const keys[] = { "p50", "p99", "max" };
	bool udp = json_is_object(json_object_get(client, "udp"));
	const json_t *probe = json_object_get(client, udp ? "udp" : "tcp"), *stats;
	char text[6][NUMBER_BYTES];
	int i, key;

	if (!json_is_object(probe))
		return;
	TELL(stream, "replies", "%8s %8s %10s %10s %10s %10s", "sent", "lost", "reordered",
	     "p50 ms", "p99 ms", "max ms");
	for (i = 0; i < 3; i++) {
		stats = json_object_get(probe, windows[i]);
		for (key = 0; key < 3; key++)
			show_number(text[key], path(stats, "latency_ms", keys[key]), 3);
		TELL(stream, windows[i], "%8s %8s %10s %10s %10s %10s",
		     show_number(text[3], json_object_get(stats, "sent"), 0),
		     show_number(text[4], json_object_get(stats, "lost"), 0),
		     show_number(text[5], json_object_get(stats, "reordered"), 0), text[0], text[1],
		     text[2]);
	}
}

static void tell_work(FILE *stream, const json_t *guest)
{
	const json_t *work = json_object_get(guest, "throughput");
	const json_t *ratio = json_object_get(work, "ratio");
	char text[3][NUMBER_BYTES], percent[NUMBER_BYTES] = "";

	if (!json_is_object(work))
		return;
	if (json_is_number(ratio))
		snprintf(percent, sizeof(percent), " (%.0f %%)", json_number_value(ratio) * 100);
	TELL(stream, "work", "%s before, %s during%s, %s after, in the guest",
	     show_per_s(text[0], json_object_get(work, "before")),
	     show_per_s(text[1], json_object_get(work, "during")), percent,
	     show_per_s(text[2], json_object_get(work, "after")));
}

/* The bound that 99.9 % of what was counted stay below; the last bucket has none. */
static const char *within(char text[NUMBER_BYTES], const json_t *latency, const char *window)
{
	const json_t *bounds = json_object_get(latency, "bound_ns");
	const json_t *counts = json_object_get(latency, window), *count;
	double sum = 0, so_far = 0;
	size_t i;

	json_array_foreach(counts, i, count)
		sum += json_number_value(count);
	json_array_foreach(counts, i, count) {
		so_far += json_number_value(count);
		if (sum > 0 && so_far >= sum * 0.999)
			break;
	}
	if (sum <= 0 || !json_is_number(json_array_get(bounds, i)))
		return show_number(text, NULL, 0);
	if (i + 1 == json_array_size(bounds))
		return strcpy(text, "(beyond)");
	snprintf(text, NUMBER_BYTES, "%.1f µs",
		 json_number_value(json_array_get(bounds, i)) / 1e3);
	return text;
}

static void tell_writes(FILE *stream, const json_t *guest)
{
	const json_t *latency = json_object_get(guest, "write_latency");
	char text[3][NUMBER_BYTES];

	if (json_is_object(latency))
		TELL(stream, "writes", "99.9 %% within %s before, %s during, %s after, in the guest",
		     within(text[0], latency, "before"), within(text[1], latency, "during"),
		     within(text[2], latency, "after"));
}

static void tell_rounds(FILE *stream, const json_t *module)
{
	const json_t *rounds = json_object_get(module, "rounds"), *round, *last = NULL;
	char text[3][NUMBER_BYTES];
	json_t *sum;
	double bytes = 0;
	size_t i;

	json_array_foreach(rounds, i, round) {
		bytes += json_number_value(json_object_get(round, "bytes"));
		last = round;
	}
	if (!last)
		return;
	sum = json_real(bytes);
	TELL(stream, "rounds", "%zu, %s; the last: %s in %s ms", i, show_bytes(text[0], sum),
	     show_bytes(text[1], json_object_get(last, "bytes")),
	     show_number(text[2], json_object_get(last, "ms"), 2));
	json_decref(sum);
}

static void tell_time(FILE *stream, const json_t *result)
{
	json_int_t migrate_ns = int_of(result, "migrate_ns"), end_ns = int_of(result, "end_ns");
	char text[NUMBER_BYTES];

	if (migrate_ns && end_ns)
		TELL(stream, "time", "%.3f s for all of the migration; %s ms by QEMU",
		     csv_ms(migrate_ns, end_ns) / 1e3,
		     show_number(text, path(result, "qemu", "total_ms"), 0));
}

static void tell_clocks(FILE *stream, const json_t *clocks)
{
	static const char *const names[] = { "source", "destination" };
	const char *about = "clocks";
	int i;

	for (i = 0; i < 2; i++) {
		const json_t *clock = json_object_get(clocks, names[i]);

		if (!json_is_object(clock))
			continue;
		TELL(stream, about, "%+.3f ms ± %.3f ms: the %s's", int_of(clock, "offset_ns") / 1e6,
		     int_of(clock, "error_ns") / 1e6, names[i]);
		about = "";
	}
}

static void tell_usage(FILE *stream, const json_t *result)
{
	static const char *const keys[] = { "source", "sink" };
	char cpu[2][NUMBER_BYTES], pinned[2][NUMBER_BYTES];
	int i;

	if (!json_is_object(json_object_get(result, "cpu_s")) &&
	    !json_is_object(json_object_get(result, "pinned_bytes")))
		return;
	for (i = 0; i < 2; i++) {
		show_number(cpu[i], path(result, "cpu_s", keys[i]), 2);
		show_bytes(pinned[i], path(result, "pinned_bytes", keys[i]));
	}
	TELL(stream, "hosts", "CPU %s s on the source, %s s on the destination; pinned %s, %s", cpu[0],
	     cpu[1], pinned[0], pinned[1]);
}

static void tell_warnings(FILE *stream, const json_t *result)
{
	json_int_t errors = int_of(json_object_get(result, "guest"), "errors");
	json_t *warning;
	size_t i;

	if (errors)
		TELL(stream, "ERRORS", "%lld found by the guest in its memory", (long long)errors);
	json_array_foreach(json_object_get(result, "warnings"), i, warning)
		TELL(stream, "warning", "%s", json_string_value(warning) ?: "?");
}

void show_print(FILE *stream, const json_t *result)
{
	const json_t *guest = json_object_get(result, "guest");

	tell_title(stream, result);
	tell_gone(stream, result);
	tell_parts(stream, json_object_get(result, "downtime"));
	tell_replies(stream, json_object_get(result, "client"));
	tell_work(stream, guest);
	tell_writes(stream, guest);
	tell_rounds(stream, json_object_get(result, "module"));
	tell_time(stream, result);
	tell_clocks(stream, json_object_get(result, "clock"));
	tell_usage(stream, result);
	tell_warnings(stream, result);
}

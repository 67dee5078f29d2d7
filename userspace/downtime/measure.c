// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../clock.h"
#include "../cmd.h"
#include "measure.h"

#define PASS_MS		50
#define ASK_MS		2000
#define PINNED_NS	1000000000ULL
#define ARRIVE_NS	10000000000LL

/* Where QEMU's stamp is out of reach of the event's arrival, its clock was set: not used. */
#define STAMP_NS	2000000000LL

static int64_t time_of(const json_t *message)
{
	int64_t arrived_ns = int_of(message, "ns");
	int64_t stamp_ns = int_of(message, "event_ns");

	return stamp_ns > 0 && stamp_ns <= arrived_ns && arrived_ns - stamp_ns < STAMP_NS ? stamp_ns : arrived_ns;
}

static void note_event(struct measure *measure, enum where where, const json_t *event, int64_t ns)
{
	const char *name = json_string_value(json_object_get(event, "event")) ?: "?";
	const json_t *data = json_object_get(event, "data");
	const char *status = json_string_value(json_object_get(data, "status"));
	char text[48], *at;

	snprintf(text, sizeof(text), status ? "%s %s" : "%s", name, status);
	for (at = text; *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at += 'a' - 'A';
	if (strcmp(name, "MIGRATION_PASS"))	/* they may be many */
		timeline_mark(&measure->timeline, where, text, ns);
	if (!strcmp(name, "MIGRATION") && status)
		snprintf(measure->status[where], sizeof(measure->status[where]), "%s", status);
	if (!strcmp(name, "RESUME") && where == WHERE_DESTINATION)
		measure->resumed = true;
	if (!strcmp(name, "MIGRATION_PASS") && where == WHERE_SOURCE)
		measure->passes = int_of(data, "pass");
}

static void heard(void *context, struct remote *remote, json_t *message)
{
	struct measure *measure = context;
	enum where where = remote == &measure->remotes[WHERE_DESTINATION];

	if (json_is_object(json_object_get(message, "event")))
		note_event(measure, where, json_object_get(message, "event"), time_of(message));
	if (json_is_true(json_object_get(message, "gone")))
		measure->gone[where] = true;
}

/* [HOST:]PATH; a colon after the first slash is the path's own. */
static int split_host(const char *qmp, char host[256], const char **path, struct fault *fault)
{
	const char *colon = strchr(qmp, ':'), *slash = strchr(qmp, '/');

	*host = 0;
	*path = qmp;
	if (!colon || (slash && slash < colon))
		return 0;
	if (colon - qmp > 255)
		return fail(fault, "%.200s: too long for a host's name", qmp);
	snprintf(host, 256, "%.*s", (int)(colon - qmp), qmp);
	*path = colon + 1;
	return colon == qmp ? fail(fault, "%s: which host?", qmp) : 0;
}

static int open_monitor(struct measure *measure, enum where where, const char *path,
			struct fault *fault)
{
	int err = remote_call(&measure->remotes[where], json_pack("{s:s,s:s,s:s}", "do", "open",
			      "monitor", "main", "path", path), ASK_MS * 10, NULL, fault);

	measure->monitored[where] = !err;
	return err;
}

static int open_host(struct measure *measure, enum where where, struct fault *fault)
{
	const struct measure_options *options = measure->options;
	struct remote_where at = { .rsh = options->rsh };
	struct remote *remote = &measure->remotes[where];
	const char *path;
	char host[256];

	if (!options->qmp[where])
		return 0;
	if (split_host(options->qmp[where], host, &path, fault))
		return -1;
	at.host = *host ? host : NULL;
	at.program = *host ? options->remote_program : "/proc/self/exe";
	measure->programs[where] = at.program;
	if (remote_open(remote, where_name(where), &at, fault))
		return -1;
	measure->open[where] = true;
	remote->heard = heard;
	remote->context = measure;
	return *path ? open_monitor(measure, where, path, fault) : 0;
}

/* One that is lost is told about once; the other is listened to further on. */
int measure_pass(struct measure *measure, double seconds, struct fault *fault)
{
	uint64_t until_ns = clock_ns() + seconds * 1e9;
	int where, err = 0;
	bool any;

	do {
		any = false;
		for (where = 0; where < 2 && !err; where++) {
			if (!measure->open[where] || measure->lost[where])
				continue;
			any = true;
			err = remote_hear(&measure->remotes[where], PASS_MS / 2, fault);
			measure->lost[where] = err;
		}
		if (!any)
			usleep(PASS_MS * 1000);
	} while (!err && !*measure->stop && clock_ns() < until_ns);
	return err;
}

/* Both, also when one fails. */
static int sync_clocks(struct measure *measure, struct fault *fault)
{
	int where, err = 0;

	for (where = 0; where < 2; where++)
		if (measure->open[where] && remote_sync(&measure->remotes[where], fault))
			err = -1;
	return err;
}

static int read_usage(struct measure *measure, int when, struct fault *fault)
{
	int where, err = 0;

	for (where = 0; where < 2; where++)
		if (measure->open[where] &&
		    remote_call(&measure->remotes[where], json_pack("{s:s,s:s}", "do", "stat",
				"monitor", "main"), ASK_MS * 10, &measure->usage[where][when], fault))
			err = -1;
	return err;
}

static int ask_guest(struct measure *measure, int when, const char *request, struct fault *fault)
{
	if (!measure->options->guest)
		return 0;
	return probe_ask(measure->options->guest, request, &measure->replies[when], ASK_MS, fault);
}

static int start_probes(struct measure *measure, struct fault *fault)
{
	const struct measure_options *options = measure->options;
	struct probe_options one = { .target = options->guest, .hz = options->hz,
				     .cpu = options->cpu };

	if (!options->guest)
		return 0;
	if (options->udp) {
		if (probe_start(&measure->udp, PROBE_UDP, &one, fault))
			return -1;
		measure->probing[0] = true;
	}
	one.hz = options->tcp_hz;
	if (options->tcp) {
		if (probe_start(&measure->tcp, PROBE_TCP, &one, fault))
			return -1;
		measure->probing[1] = true;
	}
	return 0;
}

/* The destination's QEMU comes last: one that was told to wait can do nothing else. */
static int prepare(struct measure *measure, struct fault *fault)
{
	int where;

	for (where = 0; where < 2; where++)
		if (open_host(measure, where, fault))
			return -1;
	if (ask_guest(measure, 0, "reset", fault))
		return -1;
	measure->start_ns = clock_ns();
	if (start_probes(measure, fault) || measure->drive->prepare(measure, fault) ||
	    measure_pass(measure, measure->options->before_s, fault) ||
	    sync_clocks(measure, fault) || read_usage(measure, 0, fault) ||
	    ask_guest(measure, 1, "reset", fault))
		return -1;
	return *measure->stop && measure->options->uri ?
	       fail(fault, "interrupted before the migration began") : 0;
}

int measure_arrived(struct measure *measure, struct fault *fault)
{
	if (measure->resumed || !measure->monitored[WHERE_DESTINATION])
		return 1;
	if (measure->gone[WHERE_DESTINATION])
		return fail(fault, "the QEMU on the destination is gone");
	if (!measure->done_ns)
		measure->done_ns = clock_ns();
	if ((json_int_t)clock_ns() - measure->done_ns < ARRIVE_NS)
		return 0;
	return fail(fault, "the %s, but the guest does not run on the destination: was it paused, or was that QEMU started with -S?",
		    measure->gone[WHERE_SOURCE] ? "QEMU on the source is gone" : "source is done");
}

static bool is_late(const struct measure *measure)
{
	double timeout_s = measure->options->timeout_s;

	return timeout_s > 0 && clock_ns() - measure->migrate_ns >= timeout_s * 1e9;
}

/* Where somebody else migrates, it is only the watching that ends. */
static int give_up(struct measure *measure, struct fault *fault)
{
	const char *then;

	if (!measure->options->uri)
		return 0;
	then = measure->drive->cancel(measure) ? "; it was cancelled" :
	       "; it could not be cancelled: look at both QEMUs";
	return *measure->stop ? fail(fault, "the migration was interrupted%s", then) :
	       fail(fault, "the migration did not end in %g s%s", measure->options->timeout_s, then);
}

/* Now and then: what is pinned is let go of before the end. */
static void note_pinned(struct measure *measure)
{
	struct fault ignored;
	json_int_t bytes;
	json_t *usage;
	int where;

	if (clock_ns() < measure->pinned_due_ns)
		return;
	measure->pinned_due_ns = clock_ns() + PINNED_NS;
	for (where = 0; where < 2; where++) {
		if (!measure->monitored[where] || measure->lost[where] || measure->gone[where] ||
		    remote_call(&measure->remotes[where], json_pack("{s:s,s:s}", "do", "stat", "monitor",
				"main"), ASK_MS, &usage, &ignored))
			continue;
		bytes = json_is_integer(json_object_get(usage, "pinned_bytes")) ?
			int_of(usage, "pinned_bytes") : -1;
		if (bytes > measure->pinned_bytes[where])
			measure->pinned_bytes[where] = bytes;
		json_decref(usage);
	}
}

static int migrate(struct measure *measure, struct fault *fault)
{
	int got;

	measure->migrate_ns = clock_ns();
	timeline_mark(&measure->timeline, WHERE_CLIENT, "begin", measure->migrate_ns);
	got = measure->drive->start(measure, fault);
	while (!got && !*measure->stop && !is_late(measure)) {
		note_pinned(measure);
		got = measure_pass(measure, 0, fault);
		if (!got)
			got = measure->drive->ended(measure, fault);
	}
	measure->end_ns = clock_ns();
	timeline_mark(&measure->timeline, WHERE_CLIENT, "end", measure->end_ns);
	if (!got)
		got = give_up(measure, fault);
	return got < 0 ? -1 : 0;
}

/* However it ended; what cannot be had any more is left out. */
static void look_back(struct measure *measure)
{
	struct fault ignored;
	int where;

	read_usage(measure, 1, &ignored);
	ask_guest(measure, 2, "reset", &ignored);
	sync_clocks(measure, &ignored);
	if (!*measure->stop)
		measure_pass(measure, measure->options->after_s, &ignored);
	if (measure->drive->look_back)
		measure->drive->look_back(measure);
	for (where = 0; where < 2; where++)
		if (measure->monitored[where] && !measure->gone[where] && !measure->qemu[where])
			remote_qmp(&measure->remotes[where], "main", "query-migrate", NULL,
				   &measure->qemu[where], &ignored);
	ask_guest(measure, 3, "status", &ignored);
}

int measure_run(struct measure *measure, const struct measure_options *options,
		volatile sig_atomic_t *stop, json_t **result, struct fault *fault)
{
	json_t *marks;
	int err;

	memset(measure, 0, sizeof(*measure));
	measure->options = options;
	measure->stop = stop;
	measure->pinned_bytes[0] = measure->pinned_bytes[1] = -1;
	measure->drive = !options->uri ? &drive_nobody :
			 strncasecmp(options->uri, "rdmafast:", 9) ? &drive_qemu : &drive_rdmafast;
	err = prepare(measure, fault);
	if (!err) {
		err = migrate(measure, fault);
		look_back(measure);
	}
	if (measure->probing[0])
		probe_stop(&measure->udp);
	if (measure->probing[1])
		probe_stop(&measure->tcp);
	marks = measure_marks(measure);
	if (!err)
		err = measure_verdict(measure, marks, fault);
	*result = measure_result(measure, marks, err ? fault : NULL);
	return err;
}

const struct series *measure_series(struct measure *measure, bool tcp)
{
	return measure->probing[tcp] ? probe_series(tcp ? &measure->tcp : &measure->udp) : NULL;
}

void measure_free(struct measure *measure)
{
	int where, i;

	for (where = 0; where < 2; where++) {
		if (measure->open[where])
			remote_close(&measure->remotes[where]);
		json_decref(measure->qemu[where]);
		json_decref(measure->reports[where]);
		json_decref(measure->usage[where][0]);
		json_decref(measure->usage[where][1]);
	}
	for (i = 0; i < 4; i++)
		json_decref(measure->replies[i]);
	if (measure->probing[0])
		probe_close(&measure->udp);
	if (measure->probing[1])
		probe_close(&measure->tcp);
}

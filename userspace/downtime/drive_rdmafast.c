// SPDX-License-Identifier: GPL-2.0-only
/* Ours: the command vmfastmig on both hosts, through their daemons. */
#include <stdio.h>
#include <string.h>

#include "../clock.h"
#include "../cmd.h"
#include "measure.h"

#define ASK_MS		60000
#define LINGER_MS	20000

/* run_command(MEASURE, WHERE, {"migrate", ..., NULL}) */
static int run_command(struct measure *measure, enum where where, const char *const *words,
		       json_int_t *id, struct fault *fault)
{
	json_t *argv = json_array();

	json_array_append_new(argv, json_string(measure->programs[where]));
	for (; *words; words++)
		json_array_append_new(argv, json_string(*words));
	*id = remote_ask(&measure->remotes[where], json_pack("{s:s,s:o}", "do", "run", "argv", argv),
			 fault);
	return *id < 0 ? -1 : 0;
}

/* 1 and the JSON it printed (caller's), 0 not yet, -1. */
static int take_output(struct measure *measure, enum where where, json_int_t id, int timeout_ms,
		       json_t **output, struct fault *fault)
{
	json_t *answer;
	int got = remote_answer(&measure->remotes[where], id, timeout_ms, &answer, fault);
	const char *errors;

	*output = NULL;
	if (got <= 0)
		return got;
	*output = json_loads(json_string_value(json_object_get(answer, "output")) ?: "",
			     JSON_DISABLE_EOF_CHECK, NULL);
	errors = json_string_value(json_object_get(answer, "errors"));
	errors = errors && *errors ? errors : "no result";
	if (!json_is_object(*output)) {
		got = fail(fault, "vmfastmig on the %s: %.*s", where_name(where),
			   (int)strcspn(errors, "\n"), errors);
		json_decref(*output);
		*output = NULL;
	}
	json_decref(answer);
	return got;
}

static int start_incoming(struct measure *measure, json_int_t *job, struct fault *fault)
{
	const char *const words[] = { "incoming", "--json", "--detach", "--qmp",
				      measure->options->daemon_qmp[WHERE_DESTINATION],
				      measure->options->incoming_uri ?: "rdmafast:0", NULL };
	json_t *output;
	json_int_t id;
	const char *error;
	int got = run_command(measure, WHERE_DESTINATION, words, &id, fault);

	if (!got)
		got = take_output(measure, WHERE_DESTINATION, id, ASK_MS, &output, fault);
	if (got <= 0)
		return got ? got : fail(fault, "vmfastmig incoming does not end");
	error = json_string_value(json_object_get(output, "error"));
	*job = int_of(output, "id");
	if (error)
		got = fail(fault, "destination: %s", error);
	json_decref(output);
	return got < 0 ? -1 : 0;
}

static int prepare(struct measure *measure, struct fault *fault)
{
	const struct measure_options *options = measure->options;
	char number[24];
	const char *const words[] = { "watch", "--json", number, NULL };
	json_int_t job = 0;

	if (!options->qmp[WHERE_SOURCE] || !options->qmp[WHERE_DESTINATION] ||
	    !options->daemon_qmp[WHERE_SOURCE] || !options->daemon_qmp[WHERE_DESTINATION])
		return fail(fault, "to migrate with %s each QEMU needs a second monitor, for its vmfastmigd: --source-qmp, --dest-qmp, --source-daemon-qmp, --dest-daemon-qmp",
			    options->uri);
	if (start_incoming(measure, &job, fault))
		return -1;
	snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, job);
	return run_command(measure, WHERE_DESTINATION, words, &measure->runs[WHERE_DESTINATION], fault);
}

static int start(struct measure *measure, struct fault *fault)
{
	const char *const words[] = { "migrate", "--json", "--qmp",
				      measure->options->daemon_qmp[WHERE_SOURCE],
				      measure->options->uri, NULL };

	return run_command(measure, WHERE_SOURCE, words, &measure->runs[WHERE_SOURCE], fault);
}

static void mark_all(struct measure *measure, enum where where)
{
	json_t *ns;
	const char *name;
	char text[48];

	json_object_foreach(json_object_get(measure->reports[where], "marks_ns"), name, ns) {
		snprintf(text, sizeof(text), "daemon %s", name);
		timeline_mark(&measure->timeline, where, text, json_integer_value(ns));
	}
}

static int take_report(struct measure *measure, enum where where, int timeout_ms,
		       struct fault *fault)
{
	int got;

	if (measure->reports[where])
		return 1;
	got = take_output(measure, where, measure->runs[where], timeout_ms, &measure->reports[where],
			  fault);
	if (got > 0)
		mark_all(measure, where);
	return got;
}

/* Nobody saw the guest run there yet. */
static int is_over_there(struct measure *measure, struct fault *fault)
{
	int got = take_report(measure, WHERE_DESTINATION, 0, fault);

	if (got)
		return got < 0 ? -1 : measure_arrived(measure, fault);
	if (!measure->done_ns)
		measure->done_ns = clock_ns();
	return (json_int_t)clock_ns() - measure->done_ns < LINGER_MS * 1000000LL ? 0 :
	       fail(fault, "the destination's vmfastmig watch does not end");
}

static int ended(struct measure *measure, struct fault *fault)
{
	int got = take_report(measure, WHERE_SOURCE, 0, fault);

	if (got <= 0)
		return got;
	if (!json_is_true(json_object_get(measure->reports[WHERE_SOURCE], "completed")))
		return fail(fault, "%s", json_string_value(json_object_get(
					measure->reports[WHERE_SOURCE], "error")) ?: "it failed, and does not say why");
	return measure->resumed ? 1 : is_over_there(measure, fault);
}

/* The daemon there lets the guest run first, and tidies up and tells then. */
static void look_back(struct measure *measure)
{
	struct fault ignored;

	if (measure->resumed)
		take_report(measure, WHERE_DESTINATION, LINGER_MS, &ignored);
}

static bool cancel(struct measure *measure)
{
	struct remote *source = &measure->remotes[WHERE_SOURCE];
	struct fault ignored;

	remote_call(source, json_pack("{s:s,s:I}", "do", "interrupt", "run",
				      measure->runs[WHERE_SOURCE]), ASK_MS, NULL, &ignored);
	return take_report(measure, WHERE_SOURCE, LINGER_MS, &ignored) > 0 &&
	       !json_is_true(json_object_get(measure->reports[WHERE_SOURCE], "completed"));
}

const struct drive drive_rdmafast = { prepare, start, ended, cancel, look_back };

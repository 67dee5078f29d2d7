// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../clock.h"
#include "../cmd.h"
#include "../qmp.h"
#include "agent.h"
#include "lines.h"
#include "program.h"
#include "usage.h"

#define MONITORS	4
#define PROGRAMS	4

struct monitor {
	char name[32];
	struct qmp qmp;
	bool open;
};

struct agent {
	struct lines lines;
	struct monitor monitors[MONITORS];
	struct program programs[PROGRAMS];
};

static struct monitor *monitor_of(struct agent *agent, const json_t *request, struct fault *fault)
{
	const char *name = text_of(request, "monitor");
	int i;

	for (i = 0; i < MONITORS; i++)
		if (agent->monitors[i].open && !strcmp(agent->monitors[i].name, name))
			return &agent->monitors[i];
	fail(fault, "no monitor \"%s\" is open", name);
	return NULL;
}

static json_t *do_ping(struct agent *agent, const json_t *request, struct fault *fault)
{
	(void)agent;
	(void)request;
	(void)fault;
	return json_pack("{s:I}", "ns", (json_int_t)clock_ns());
}

static struct monitor *new_monitor(struct agent *agent, const char *name, struct fault *fault)
{
	struct monitor *free = NULL;
	int i;

	for (i = 0; i < MONITORS; i++) {
		if (!agent->monitors[i].open)
			free = &agent->monitors[i];
		else if (!strcmp(agent->monitors[i].name, name))
			break;
	}
	if (i < MONITORS)
		fail(fault, "monitor \"%s\" is open already", name);
	else if (strlen(name) >= sizeof(free->name))
		fail(fault, "\"%s\" is too long for a monitor's name", name);
	else if (!free)
		fail(fault, "no more than %d monitors", MONITORS);
	else
		return free;
	return NULL;
}

static json_t *do_open(struct agent *agent, const json_t *request, struct fault *fault)
{
	const char *name = text_of(request, "monitor");
	struct monitor *monitor = new_monitor(agent, name, fault);

	if (!monitor || qmp_open(&monitor->qmp, text_of(request, "path"), fault))
		return NULL;
	strcpy(monitor->name, name);
	monitor->open = true;
	return json_object();
}

static json_t *do_call(struct agent *agent, const json_t *request, struct fault *fault)
{
	struct monitor *monitor = monitor_of(agent, request, fault);
	json_t *answer = NULL;

	if (!monitor || qmp_call(&monitor->qmp, text_of(request, "execute"),
				 json_incref(json_object_get(request, "arguments")), &answer, fault))
		return NULL;
	return json_pack("{s:I,s:o?}", "ns", (json_int_t)clock_ns(), "return", answer);
}

/* A QEMU that is gone has nothing pinned any more; its host's figures are wanted still. */
static json_t *do_stat(struct agent *agent, const json_t *request, struct fault *fault)
{
	struct fault ignored;
	struct monitor *monitor = monitor_of(agent, request, &ignored);

	return usage_read(monitor ? monitor->qmp.pid : 0, fault);
}

static json_t *do_run(struct agent *agent, const json_t *request, struct fault *fault)
{
	struct program *program = agent->programs;

	while (program < agent->programs + PROGRAMS && program->pid)
		program++;
	if (program == agent->programs + PROGRAMS)
		fail(fault, "no more than %d programs", PROGRAMS);
	else
		program_start(program, json_object_get(request, "id"),
			      json_object_get(request, "argv"), fault);
	return NULL;	/* it is answered at its end */
}

static json_t *do_interrupt(struct agent *agent, const json_t *request, struct fault *fault)
{
	int i;

	for (i = 0; i < PROGRAMS; i++) {
		if (!agent->programs[i].pid ||
		    !json_equal(agent->programs[i].id, json_object_get(request, "run")))
			continue;
		program_interrupt(&agent->programs[i]);
		return json_object();
	}
	fail(fault, "no such program runs");
	return NULL;
}

static const struct {
	const char *what;
	json_t *(*run)(struct agent *agent, const json_t *request, struct fault *fault);
} verbs[] = {
	{ "ping", do_ping }, { "open", do_open }, { "call", do_call }, { "stat", do_stat },
	{ "run", do_run }, { "interrupt", do_interrupt },
};

static int obey(struct agent *agent, const json_t *request, struct fault *fault)
{
	const char *what = text_of(request, "do");
	struct fault failed = { "" };
	json_t *answer = NULL;
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(verbs[i].what, what))
			break;
	if (i == sizeof(verbs) / sizeof(*verbs))
		fail(&failed, "no request \"%s\"", what);
	else
		answer = verbs[i].run(agent, request, &failed);
	if (*failed.text) {
		json_decref(answer);
		answer = json_pack("{s:s}", "error", failed.text);
	}
	if (!answer)
		return 0;
	json_object_set(answer, "id", json_object_get(request, "id"));
	return lines_send(&agent->lines, answer, fault);
}

/* How far CLOCK_REALTIME is ahead: by the best of a few looks, one may be interrupted. */
static int64_t ahead_ns(void)
{
	uint64_t before_ns, after_ns, best_ns = UINT64_MAX;
	int64_t ahead = 0;
	struct timespec wall;
	int n;

	for (n = 0; n < 3; n++) {
		before_ns = clock_ns();
		clock_gettime(CLOCK_REALTIME, &wall);
		after_ns = clock_ns();
		if (after_ns - before_ns >= best_ns)
			continue;
		best_ns = after_ns - before_ns;
		ahead = wall.tv_sec * 1000000000LL + wall.tv_nsec - (int64_t)(before_ns + best_ns / 2);
	}
	return ahead;
}

/* QEMU stamps with CLOCK_REALTIME, in microseconds; 0 where it did not, or its stamp is none. */
static json_int_t event_ns(const json_t *event)
{
	const json_t *stamp = json_object_get(event, "timestamp");
	json_int_t s = int_of(stamp, "seconds"), us = int_of(stamp, "microseconds");

	if (s <= 0 || s > UINT32_MAX || us < 0 || us >= 1000000)
		return 0;
	return s * 1000000000 + us * 1000 - ahead_ns();
}

static int tell_events(struct agent *agent, struct monitor *monitor, struct fault *fault)
{
	json_t *event;
	int got, err = 0;

	while (!err && (got = qmp_next_event(&monitor->qmp, &event, fault)) > 0) {
		json_int_t ns = int_of(event, "arrived_ns");

		err = lines_send(&agent->lines, json_pack("{s:s,s:O,s:I,s:I}", "monitor",
							  monitor->name, "event", event, "ns", ns,
							  "event_ns", event_ns(event)), fault);
		json_decref(event);
	}
	if (err || !got)
		return err;
	monitor->open = false;
	qmp_close(&monitor->qmp);
	return lines_send(&agent->lines, json_pack("{s:s,s:b}", "monitor", monitor->name, "gone", 1),
			  fault);
}

static void wait_any(struct agent *agent)
{
	struct pollfd fds[1 + MONITORS + PROGRAMS] = { { .fd = agent->lines.in, .events = POLLIN } };
	struct pollfd *next = fds + 1;
	int i;

	for (i = 0; i < MONITORS; i++)
		*next++ = (struct pollfd){ agent->monitors[i].open ? agent->monitors[i].qmp.fd : -1,
					   POLLIN, 0 };
	for (i = 0; i < PROGRAMS; i++)
		*next++ = (struct pollfd){ agent->programs[i].pid ? agent->programs[i].pidfd : -1,
					   POLLIN, 0 };
	poll(fds, next - fds, 1000);
}

static int serve_programs(struct agent *agent, struct fault *fault)
{
	json_t *answer;
	int i, err = 0;

	for (i = 0; i < PROGRAMS && !err; i++)
		if (agent->programs[i].pid && (answer = program_end(&agent->programs[i])))
			err = lines_send(&agent->lines, answer, fault);
	return err;
}

static int serve_once(struct agent *agent, struct fault *fault)
{
	json_t *request;
	int i, got, err = 0;

	for (i = 0; i < MONITORS && !err; i++)
		if (agent->monitors[i].open)
			err = tell_events(agent, &agent->monitors[i], fault);
	if (err || serve_programs(agent, fault))
		return -1;
	got = lines_next(&agent->lines, 0, &request, fault);
	if (got > 0)
		err = obey(agent, request, fault);
	else if (!got)
		wait_any(agent);
	json_decref(request);
	return got < 0 ? -1 : err;
}

/* All are interrupted before one is waited for. */
static void leave_programs(struct agent *agent)
{
	int i;

	for (i = 0; i < PROGRAMS; i++)
		if (agent->programs[i].pid)
			program_interrupt(&agent->programs[i]);
	for (i = 0; i < PROGRAMS; i++)
		if (agent->programs[i].pid)
			program_leave(&agent->programs[i]);
}

void agent_serve(int in, int out)
{
	struct agent agent = { 0 };
	struct fault fault;
	int i;

	lines_open(&agent.lines, "the observer", in, out);
	while (!serve_once(&agent, &fault))
		;
	leave_programs(&agent);
	for (i = 0; i < MONITORS; i++)
		if (agent.monitors[i].open)
			qmp_close(&agent.monitors[i].qmp);
	lines_close(&agent.lines);
}

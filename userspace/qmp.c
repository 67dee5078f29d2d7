// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "connect.h"
#include "fdpass.h"
#include "qmp.h"
#include "sockpeer.h"

#define ANSWER_MS	30000
#define GREET_MS	5000
#define PAST_MS		30000
#define DRAIN_MS	5000	/* past a deadline: for what is there already */
#define EVENTS_MAX	256	/* kept; the oldest goes first */
#define EVENT_BYTES	(16 << 10)	/* nobody waits for a longer one */

static int gone(struct qmp *qmp, struct fault *fault)
{
	return fail(fault, "the QEMU behind %s is gone", qmp->path);
}

/* The line in the buffer, parsed, or NULL when none is whole yet. */
static json_t *take_line(struct qmp *qmp, bool *bad)
{
	size_t bytes;
	const char *line = linebuf_line(&qmp->lines, &bytes);
	json_t *object;

	if (!line)
		return NULL;
	object = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL);
	qmp->line_bytes = bytes;
	linebuf_drop(&qmp->lines, bytes);
	if (!json_is_object(object)) {
		json_decref(object);
		*bad = true;
		return NULL;
	}
	return object;
}

static int fill(struct qmp *qmp, struct fault *fault)
{
	ssize_t got = linebuf_read(&qmp->lines, qmp->fd);

	if (got < 0 && errno == EMSGSIZE)
		return fail(fault, "%s: a line of more than %d bytes", qmp->path, LINEBUF_BYTES);
	return got > 0 ? 0 : gone(qmp, fault);
}

/* 1 and a message; 0 past the deadline, though QEMU never stops talking, or for @watch; -1. */
static int receive(struct qmp *qmp, uint64_t deadline_ms, const struct watch *watch,
		   json_t **message, struct fault *fault)
{
	struct pollfd fds[3] = { { .fd = qmp->fd, .events = POLLIN } };
	bool bad = false;

	watch_poll(watch, fds + 1);
	for (;;) {
		uint64_t now_ms = clock_ms();

		if (now_ms > deadline_ms + DRAIN_MS)
			return 0;
		*message = take_line(qmp, &bad);
		if (*message)
			return 1;
		if (bad)
			return fail(fault, "%s: what came is not QMP", qmp->path);
		if (poll(fds, 3, now_ms < deadline_ms ? (int)(deadline_ms - now_ms) : 0) < 0) {
			if (errno == EINTR)
				continue;
			return fail(fault, "%s: %s", qmp->path, strerror(errno));
		}
		if (fds[0].revents) {
			if (fill(qmp, fault))
				return -1;
		} else if (fds[1].revents || fds[2].revents || clock_ms() >= deadline_ms) {
			return 0;
		}
	}
}

static void keep_event(struct qmp *qmp, json_t *event)
{
	if (qmp->line_bytes > EVENT_BYTES) {
		json_decref(event);
		return;
	}
	if (json_array_size(qmp->events) == EVENTS_MAX)
		json_array_remove(qmp->events, 0);
	json_object_set_new(event, "arrived_ns", json_integer(clock_ns()));
	json_array_append_new(qmp->events, event);
}

/* As receive(), where nothing but events is waited for: they are kept. */
static int receive_event(struct qmp *qmp, uint64_t deadline_ms, const struct watch *watch,
			 struct fault *fault)
{
	json_t *message;
	int got = receive(qmp, deadline_ms, watch, &message, fault);

	if (got > 0 && json_object_get(message, "event"))
		keep_event(qmp, message);
	else if (got > 0)
		json_decref(message);
	return got;
}

/* With the first byte goes @fd, unless it is -1. */
static int send_line(struct qmp *qmp, json_t *object, int fd, struct fault *fault)
{
	char *text = json_dumps(object, JSON_COMPACT);
	size_t bytes = text ? strlen(text) : 0, done = 0;

	if (!text)
		return fail(fault, "%s: no memory", qmp->path);
	text[bytes++] = '\n';	/* over the NUL; length is kept apart */
	while (done < bytes) {
		ssize_t sent = fdpass_send(qmp->fd, text + done, bytes - done, &fd,
					   fd >= 0 && !done, 0);

		if (sent <= 0)
			break;
		done += sent;
	}
	free(text);
	return done == bytes ? 0 : gone(qmp, fault);
}

static int call(struct qmp *qmp, const char *command, json_t *arguments, int fd,
		json_t **answer, struct fault *fault)
{
	json_t *request = json_pack("{s:s,s:i}", "execute", command, "id", ++qmp->last_id);
	uint64_t deadline_ms = clock_ms() + ANSWER_MS;
	json_t *message, *error;
	int err;

	qmp->refused = false;
	if (arguments)
		json_object_set_new(request, "arguments", arguments);
	err = send_line(qmp, request, fd, fault);
	json_decref(request);
	if (err)
		return err;
	for (;;) {
		err = receive(qmp, deadline_ms, WATCH_NOTHING, &message, fault);
		if (err < 0)
			return -1;
		if (!err)
			return fail(fault, "%s: no answer to %s in %d s", qmp->path, command,
				    ANSWER_MS / 1000);
		if (json_object_get(message, "event"))
			keep_event(qmp, message);
		else if (json_integer_value(json_object_get(message, "id")) == qmp->last_id)
			break;
		else
			json_decref(message);
	}
	error = json_object_get(message, "error");
	qmp->refused = error;
	if (error)
		fail(fault, "QEMU refused %s: %s", command,
		     json_string_value(json_object_get(error, "desc")) ?: "without a reason");
	else if (answer)
		*answer = json_incref(json_object_get(message, "return"));
	err = error ? -1 : 0;
	json_decref(message);
	return err;
}

int qmp_call(struct qmp *qmp, const char *command, json_t *arguments, json_t **answer,
	     struct fault *fault)
{
	return call(qmp, command, arguments, -1, answer, fault);
}

int qmp_give_fd(struct qmp *qmp, const char *name, int fd, struct fault *fault)
{
	return call(qmp, "getfd", json_pack("{s:s}", "fdname", name), fd, NULL, fault);
}

bool qmp_has_capability(const json_t *capabilities, const char *name)
{
	json_t *one;
	size_t i;

	json_array_foreach(capabilities, i, one) {
		const char *is = json_string_value(json_object_get(one, "capability"));

		if (is && !strcmp(is, name))
			return json_is_true(json_object_get(one, "state"));
	}
	return false;
}

bool qmp_is_gone(const struct qmp *qmp)
{
	struct pollfd end = { .fd = qmp->fd, .events = POLLRDHUP };

	return qmp->fd < 0 || (poll(&end, 1, 0) > 0 && (end.revents & (POLLHUP | POLLRDHUP | POLLERR)));
}

void qmp_drop_events(struct qmp *qmp, const char *name)
{
	size_t i = json_array_size(qmp->events);

	while (i--) {
		json_t *event = json_array_get(qmp->events, i);
		const char *is = json_string_value(json_object_get(event, "event"));

		if (is && !strcmp(is, name))
			json_array_remove(qmp->events, i);
	}
}

static bool matches(json_t *event, const char *name, const char *const *statuses)
{
	const char *is = json_string_value(json_object_get(event, "event"));
	const char *status = json_string_value(json_object_get(json_object_get(event, "data"),
							       "status"));

	if (!is || strcmp(is, name))
		return false;
	if (!statuses)
		return true;
	for (; status && *statuses; statuses++)
		if (!strcmp(*statuses, status))
			return true;
	return false;
}

/* Events before the one asked for stay: another one may be asked for later. */
static json_t *take_event(struct qmp *qmp, const char *name, const char *const *statuses)
{
	json_t *event;
	size_t i;

	json_array_foreach(qmp->events, i, event) {
		if (!matches(event, name, statuses))
			continue;
		json_incref(event);
		json_array_remove(qmp->events, i);
		return event;
	}
	return NULL;
}

static bool is_readable(const struct watch *watch)
{
	struct pollfd fds[2];

	watch_poll(watch, fds);
	return poll(fds, 2, 0) > 0;
}

/* receive() answers for @watch when QEMU is silent: one that never is does not hide it. */
int qmp_wait_event(struct qmp *qmp, const char *name, const char *const *statuses,
		   int timeout_ms, const struct watch *watch, json_t **event,
		   struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + timeout_ms;
	unsigned int others = 0;
	int got;

	for (;;) {
		*event = take_event(qmp, name, statuses);
		if (*event)
			return 1;
		if (++others % EVENTS_MAX == 0 && is_readable(watch))
			return 0;
		got = receive_event(qmp, deadline_ms, watch, fault);
		if (got <= 0)
			return got;
	}
}

int qmp_next_event(struct qmp *qmp, json_t **event, struct fault *fault)
{
	uint64_t now_ms = clock_ms();
	int got;

	while (!json_array_size(qmp->events)) {
		got = receive_event(qmp, now_ms, WATCH_NOTHING, fault);
		if (got <= 0)
			return got;
	}
	*event = json_incref(json_array_get(qmp->events, 0));
	json_array_remove(qmp->events, 0);
	return 1;
}

/* What vmfastmig monitor says of the QEMU behind it, whom we trust by that, and may kill. */
static int take_behind(struct qmp *qmp, const json_t *behind, struct fault *fault)
{
	json_int_t pid = json_integer_value(json_object_get(behind, "pid"));
	const char *path = json_string_value(json_object_get(behind, "qmp"));

	if (pid <= 0 || pid != (pid_t)pid || !path || strlen(path) >= sizeof(qmp->past))
		return 0;
	if (!sockpeer_may_name(qmp->pid, (pid_t)pid))
		return fail(fault, "%s says that behind it is process %d, which is not its user's; run vmfastmig monitor as root, or as the user of that QEMU",
			    qmp->path, (int)pid);
	qmp->pid = (pid_t)pid;
	strcpy(qmp->past, path);
	return 0;
}

static int greet(struct qmp *qmp, bool inner, struct fault *fault)
{
	json_t *greeting;
	int got = receive(qmp, clock_ms() + GREET_MS, WATCH_NOTHING, &greeting, fault);

	if (got < 0)
		return -1;
	if (!got)
		return fail(fault, "%s does not greet: is another client connected to it?",
			    qmp->path);
	qmp->pid = sockpeer_find(qmp->fd);
	got = json_object_get(greeting, "QMP") ?
	      take_behind(qmp, json_object_get(greeting, "vmfastmig"), fault) :
	      fail(fault, "%s is not a QMP monitor", qmp->path);
	json_decref(greeting);
	return got ? got : qmp_call(qmp, "qmp_capabilities", inner && *qmp->past ?
				    json_pack("{s:b}", "vmfastmig", 1) : NULL, NULL, fault);
}

pid_t qmp_process(const struct qmp *qmp)
{
	return *qmp->past ? qmp->pid : sockpeer_find(qmp->fd);
}

static int open_at(struct qmp *qmp, const char *path, bool inner, struct fault *fault)
{
	memset(qmp, 0, sizeof(*qmp));
	snprintf(qmp->path, sizeof(qmp->path), "%s", path);
	qmp->fd = connect_to(path, fault);
	if (qmp->fd < 0) {
		qmp->no_listener = errno == ECONNREFUSED || errno == ENOENT;
		return errno == ENAMETOOLONG ? -1 :
		       fail(fault, "cannot connect to the monitor %s: %s", path, strerror(errno));
	}
	qmp->events = json_array();
	if (qmp->events && !greet(qmp, inner, fault))
		return 0;
	qmp_close(qmp);
	return -1;
}

int qmp_open(struct qmp *qmp, const char *path, struct fault *fault)
{
	return open_at(qmp, path, false, fault);
}

int qmp_open_inner(struct qmp *qmp, const char *path, const char *past, struct fault *fault)
{
	int err = open_at(qmp, path, true, fault);

	return err && qmp->no_listener && past && *past ? open_at(qmp, past, true, fault) : err;
}

int qmp_go_past(struct qmp *qmp, struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + PAST_MS;
	struct qmp before = *qmp;
	int err;

	if (!qmp_is_gone(qmp))
		return 0;
	if (!*before.past)
		return gone(qmp, fault);
	qmp_close(qmp);
	while ((err = qmp_open_inner(qmp, before.path, before.past, fault)) &&
	       !qmp->no_listener && clock_ms() < deadline_ms)
		usleep(100000);
	if (!err && qmp->pid != before.pid) {
		qmp_close(qmp);
		err = fail(fault, "another QEMU is at %s now", before.past);
	}
	qmp->pid = before.pid;
	strcpy(qmp->path, before.path);
	strcpy(qmp->past, before.past);
	return err;
}

void qmp_close(struct qmp *qmp)
{
	if (qmp->fd >= 0)
		close(qmp->fd);
	qmp->fd = -1;
	linebuf_free(&qmp->lines);
	json_decref(qmp->events);
	qmp->events = NULL;
}

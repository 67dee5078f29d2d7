// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "front.h"
#include "scratch.h"
#include "script.h"
#include "tap.h"

#define HEAR_MS 10000

static void *run(void *arg)
{
	struct front *front = arg;

	front->status = monitor_run(&front->monitor, front->stop_fd);
	monitor_close(&front->monitor);
	return NULL;
}

void front_start(struct front *front)
{
	front_start_for(front, NULL);
}

void front_start_for(struct front *front, const char *waiting)
{
	static char daemon[160];
	struct fault fault;

	snprintf(daemon, sizeof(daemon), "%s", scratch_path("daemon"));
	front->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (monitor_open(&front->monitor, scratch_path("qmp"), scratch_path("front"), daemon,
			 &fault) ||
	    (waiting && monitor_connect(&front->monitor, waiting, &fault)))
		tap_give_up(fault.text);
	if (pthread_create(&front->thread, NULL, run, front))
		abort();
}

void front_wait(struct front *front)
{
	pthread_join(front->thread, NULL);
	close(front->stop_fd);
	CHECK(!front->status);
}

void front_end(struct front *front)
{
	eventfd_write(front->stop_fd, 1);
	front_wait(front);
}

int front_greeted(int fd)
{
	json_t *greeting = front_hear(fd);

	CHECK(json_object_get(greeting, "QMP"));
	json_decref(greeting);
	return fd;
}

int front_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		tap_give_up("cannot connect to the monitor");
	return front_greeted(fd);
}

int front_connect(void)
{
	return front_at(scratch_path("front"));
}

int front_negotiated(int fd)
{
	CHECK(front_returns(fd, "{\"execute\":\"qmp_capabilities\"}", NULL));
	return fd;
}

int front_client(void)
{
	return front_negotiated(front_connect());
}

/* How much of what is there belongs to the line: up to its end, if that is there. */
static size_t peek(int fd, char *to, size_t room)
{
	ssize_t got = recv(fd, to, room, MSG_PEEK);
	char *end = got > 0 ? memchr(to, '\n', got) : NULL;

	return got <= 0 ? 0 : end ? (size_t)(end + 1 - to) : (size_t)got;
}

/* A line without its end; the caller's. NULL at the end. */
static char *hear_line(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	size_t used = 0, room = 4096, bytes;
	char *line = malloc(room);

	for (;;) {
		if (poll(&wait, 1, HEAR_MS) <= 0)
			tap_give_up("nothing more is heard");
		bytes = peek(fd, line + used, room - used - 1);
		if (!bytes || recv(fd, line + used, bytes, 0) != (ssize_t)bytes)
			break;
		used += bytes;
		line[used] = 0;
		if (line[used - 1] == '\n')
			return line;
		if (used + 1 == room)
			line = realloc(line, room *= 2);
	}
	free(line);
	return NULL;
}

json_t *front_hear(int fd)
{
	char *line = hear_line(fd);
	json_t *message = NULL;

	if (!line)
		return NULL;
	message = json_loadb(line, strcspn(line, "\n"), 0, NULL);
	if (!CHECK(json_is_object(message)))
		printf("# it says: %.200s\n", line);
	free(line);
	return message;
}

json_t *front_answer(int fd)
{
	json_t *message = front_hear(fd);

	while (json_object_get(message, "event")) {
		json_decref(message);
		message = front_hear(fd);
	}
	return message;
}

json_t *front_ask(int fd, const char *request)
{
	script_say(fd, request);
	return front_answer(fd);
}

bool front_returns(int fd, const char *request, const char *id)
{
	json_t *answer = front_ask(fd, request), *own = json_object_get(answer, "id");
	json_t *expected = id ? json_loads(id, JSON_DECODE_ANY, NULL) : NULL;
	bool good = json_object_get(answer, "return") && (id ? json_equal(own, expected) : !own);

	json_decref(expected);
	json_decref(answer);
	return good;
}

const char *front_error(int fd, const char *request)
{
	static char text[512];
	json_t *answer = front_ask(fd, request);
	json_t *error = json_object_get(answer, "error");

	snprintf(text, sizeof(text), "%s: %s",
		 json_string_value(json_object_get(error, "class")) ?: "no error",
		 json_string_value(json_object_get(error, "desc")) ?: "");
	json_decref(answer);
	return text;
}

const char *front_event(int fd)
{
	static char text[128];
	json_t *event = front_hear(fd), *data = json_object_get(event, "data");
	const char *status = json_string_value(json_object_get(data, "status"));
	json_t *pass = json_object_get(data, "pass");

	snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(event, "event")) ?:
		 "no event");
	if (status)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s", status);
	if (pass)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %d",
			 (int)json_integer_value(pass));
	json_decref(event);
	return text;
}

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
#include "message.h"
#include "sockpeer.h"
#include "upstream.h"

#define GREET_MS	5000

int upstream_read(struct upstream *upstream)
{
	size_t bytes;
	char *to = frame_room(&upstream->in, &bytes);
	ssize_t got;

	if (!to)
		return -1;
	got = recv(upstream->fd, to, bytes, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0)
		return -1;
	upstream->in.used += got;
	return 0;
}

/* The next object that has @key, events left aside; the caller's. */
static json_t *hear(struct upstream *upstream, const char *key, struct fault *fault)
{
	struct pollfd wait = { .fd = upstream->fd, .events = POLLIN };
	uint64_t deadline_ms = clock_ms() + GREET_MS;
	const char *bad;
	json_t *object;
	char *text;

	while (clock_ms() < deadline_ms) {
		text = frame_next(&upstream->in, &bad);
		object = text ? json_loads(text, 0, NULL) : NULL;
		if (json_object_get(object, key)) {
			free(text);
			return object;
		}
		if (bad || (text && !json_object_get(object, "event"))) {
			fail(fault, "%s is not a QMP monitor: it says %.100s", upstream->path,
			     text ? text : bad);
			free(text);
			json_decref(object);
			return NULL;
		}
		json_decref(object);
		if (!text && poll(&wait, 1, 100) > 0 && upstream_read(upstream)) {
			fail(fault, "the QEMU behind %s is gone", upstream->path);
			return NULL;
		}
		free(text);
	}
	fail(fault, "%s does not greet: is another client connected to it?", upstream->path);
	return NULL;
}

static bool offers_oob(const json_t *greeting)
{
	json_t *list = json_object_get(json_object_get(greeting, "QMP"), "capabilities"), *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (json_is_string(one) && !strcmp(json_string_value(one), "oob"))
			return true;
	return false;
}

static int negotiate(struct upstream *upstream, struct fault *fault)
{
	static const char plain[] = "{\"execute\": \"qmp_capabilities\"}";
	static const char with[] =
		"{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}";
	json_t *answer;

	upstream->greeting = hear(upstream, "QMP", fault);
	if (!upstream->greeting)
		return -1;
	upstream->oob = offers_oob(upstream->greeting);
	if (out_add(&upstream->out, upstream->oob ? with : plain,
		    strlen(upstream->oob ? with : plain)) ||
	    out_flush(&upstream->out, upstream->fd))
		return fail(fault, "the QEMU behind %s is gone", upstream->path);
	answer = hear(upstream, "return", fault);
	json_decref(answer);
	return answer ? 0 : -1;
}

int upstream_open(struct upstream *upstream, const char *path, struct fault *fault)
{
	*upstream = (struct upstream){ .in.most_bytes = UPSTREAM_BYTES };
	upstream->fd = connect_to(path, fault);
	if (upstream->fd < 0)
		return -1;
	strcpy(upstream->path, path);
	if (negotiate(upstream, fault))
		return -1;
	upstream->pid = sockpeer_find(upstream->fd);
	return 0;
}

static void free_list(struct request *request)
{
	while (request) {
		struct request *next = request->next;

		request_free(request);
		request = next;
	}
}

void upstream_close(struct upstream *upstream)
{
	if (upstream->fd >= 0)
		close(upstream->fd);
	free_list(upstream->first);
	free_list(upstream->oobs);
	frame_free(&upstream->in);
	out_free(&upstream->out);
	json_decref(upstream->greeting);
	*upstream = (struct upstream){ .fd = -1 };
}

static int put(struct upstream *upstream, struct request *request)
{
	char number[16], *text;
	int err;

	request->number = ++upstream->last_number;
	snprintf(number, sizeof(number), "%u", request->number);
	text = message_with_id(request->text, number);
	err = !text || out_add_fds(&upstream->out, text, strlen(text), &request->fds) ? -1 : 0;
	free(text);
	return err;
}

int upstream_add(struct upstream *upstream, struct request *request)
{
	struct request **at;
	bool now;

	if (!request)
		return -1;
	at = request->oob ? &upstream->oobs : &upstream->first;
	now = request->oob || !*at;

	while (*at)
		at = &(*at)->next;
	*at = request;
	request->next = NULL;
	return now ? put(upstream, request) : 0;
}

static struct request *unlink_number(struct request **at, unsigned int number)
{
	struct request *request;

	while (*at && (*at)->number != number)
		at = &(*at)->next;
	request = *at;
	if (request)
		*at = request->next;
	return request;
}

struct request *upstream_answered(struct upstream *upstream, unsigned int number)
{
	struct request *request = unlink_number(&upstream->oobs, number);

	if (!number || request)
		return request;
	request = unlink_number(&upstream->first, number);
	if (request && upstream->first)
		put(upstream, upstream->first);
	return request;
}

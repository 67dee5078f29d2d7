// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../clock.h"
#include "lines.h"

#define LINE_BYTES (16 << 20)

int lines_open(struct lines *lines, const char *peer, int in, int out, struct fault *fault)
{
	*lines = (struct lines){ .peer = peer, .in = in, .out = out, .room = 4096 };
	lines->buf = malloc(lines->room);
	return lines->buf ? 0 : fail(fault, "no memory");
}

void lines_close(struct lines *lines)
{
	close(lines->in);
	if (lines->out != lines->in)
		close(lines->out);
	free(lines->buf);
	lines->buf = NULL;
}

int lines_send(struct lines *lines, json_t *object, struct fault *fault)
{
	char *text = json_dumps(object, JSON_COMPACT);
	size_t bytes = text ? strlen(text) : 0, done = 0;

	json_decref(object);
	if (!text)
		return fail(fault, "no memory");
	text[bytes++] = '\n';	/* over the NUL */
	while (done < bytes) {
		ssize_t sent = write(lines->out, text + done, bytes - done);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			break;
		done += sent;
	}
	free(text);
	return done == bytes ? 0 : fail(fault, "%s is gone", lines->peer);
}

static int take(struct lines *lines, json_t **object, struct fault *fault)
{
	char *end = memchr(lines->buf, '\n', lines->used);
	size_t bytes;

	if (!end)
		return 0;
	bytes = end - lines->buf + 1;
	*object = json_loadb(lines->buf, bytes, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(*object)) {
		json_decref(*object);
		*object = NULL;
		return fail(fault, "%s says what is no JSON object: %.*s", lines->peer,
			    (int)(bytes > 200 ? 200 : bytes - 1), lines->buf);
	}
	memmove(lines->buf, end + 1, lines->used - bytes);
	lines->used -= bytes;
	return 1;
}

static int fill(struct lines *lines, struct fault *fault)
{
	ssize_t got;

	if (lines->used == lines->room) {
		char *more = lines->room < LINE_BYTES ? realloc(lines->buf, lines->room * 2) : NULL;

		if (!more)
			return fail(fault, "%s: a line of %zu bytes", lines->peer, lines->used);
		lines->buf = more;
		lines->room *= 2;
	}
	got = read(lines->in, lines->buf + lines->used, lines->room - lines->used);
	if (got < 0 && errno == EINTR)
		return 0;
	if (got <= 0)
		return fail(fault, "%s is gone", lines->peer);
	lines->used += got;
	return 0;
}

/* Not past the time-out, also where what comes never ends, or ends no line. */
int lines_next(struct lines *lines, int timeout_ms, json_t **object, struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + timeout_ms;
	struct pollfd in = { .fd = lines->in, .events = POLLIN };
	int got, left_ms = 1;

	*object = NULL;
	while (!(got = take(lines, object, fault)) && left_ms > 0) {
		left_ms = (int)(deadline_ms - clock_ms());
		if (poll(&in, 1, left_ms > 0 ? left_ms : 0) > 0 && fill(lines, fault))
			return -1;
	}
	return got;
}

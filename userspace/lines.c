// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "lines.h"

void lines_open(struct lines *lines, const char *peer, int in, int out)
{
	*lines = (struct lines){ .peer = peer, .in = in, .out = out };
}

void lines_close(struct lines *lines)
{
	close(lines->in);
	if (lines->out != lines->in)
		close(lines->out);
	linebuf_free(&lines->buf);
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

int lines_take(struct lines *lines, json_t **object, struct fault *fault)
{
	size_t bytes;
	const char *line = linebuf_line(&lines->buf, &bytes);

	*object = NULL;
	if (!line)
		return 0;
	*object = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(*object)) {
		json_decref(*object);
		*object = NULL;
		return fail(fault, "%s says what is no JSON object: %.*s", lines->peer,
			    (int)(bytes < 200 ? bytes : 200), line);
	}
	linebuf_drop(&lines->buf, bytes);
	return 1;
}

int lines_fill(struct lines *lines, struct fault *fault)
{
	ssize_t got = linebuf_read(&lines->buf, lines->in);

	if (got > 0 || (got < 0 && errno == EINTR))
		return 0;
	if (got < 0 && errno == EMSGSIZE)
		return fail(fault, "%s: a line of %zu bytes", lines->peer, lines->buf.used);
	return fail(fault, "%s is gone", lines->peer);
}

/* Not past the time-out, also where what comes never ends, or ends no line. */
int lines_next(struct lines *lines, int timeout_ms, json_t **object, struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + timeout_ms;
	struct pollfd in = { .fd = lines->in, .events = POLLIN };
	int got, left_ms = 1;

	while (!(got = lines_take(lines, object, fault)) && left_ms > 0) {
		left_ms = (int)(deadline_ms - clock_ms());
		if (poll(&in, 1, left_ms > 0 ? left_ms : 0) > 0 && lines_fill(lines, fault))
			return -1;
	}
	return got;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"

static void shift(struct out *out)
{
	memmove(out->buf, out->buf + out->begin, out->end - out->begin);
	out->fds_at -= out->fds.count ? out->begin : 0;
	out->end -= out->begin;
	out->begin = 0;
}

static int make_room(struct out *out, size_t bytes)
{
	size_t room = out->room ? out->room : 4096;
	char *buf;

	if (out->begin)
		shift(out);
	while (room - out->end < bytes)
		room *= 2;
	if (room == out->room)
		return 0;
	buf = realloc(out->buf, room);
	if (!buf)
		return -1;
	out->buf = buf;
	out->room = room;
	return 0;
}

int out_add(struct out *out, const char *text, size_t bytes)
{
	if (make_room(out, bytes + 2))
		return -1;
	memcpy(out->buf + out->end, text, bytes);
	memcpy(out->buf + out->end + bytes, "\r\n", 2);
	out->end += bytes + 2;
	return 0;
}

int out_add_fds(struct out *out, const char *text, size_t bytes, struct fds *fds)
{
	if (out_add(out, text, bytes))
		return -1;
	if (fds->count) {
		out->fds_at = out->end - bytes - 2;
		fds_move(fds, &out->fds);
	}
	return 0;
}

/* Up to where descriptors go, then with them. */
static ssize_t send_some(struct out *out, int socket)
{
	struct fds none = { 0 };
	bool now = out->fds.count && out->fds_at == out->begin;
	size_t end = out->fds.count && !now ? out->fds_at : out->end;

	return fds_send(socket, out->buf + out->begin, end - out->begin, now ? &out->fds : &none);
}

int out_flush(struct out *out, int socket)
{
	ssize_t sent;

	while (out->begin < out->end) {
		sent = send_some(out, socket);
		if (sent < 0 && errno == EAGAIN)
			return 0;
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return -1;
		out->begin += sent;
	}
	out->begin = out->end = 0;
	return 0;
}

void out_free(struct out *out)
{
	free(out->buf);
	fds_close(&out->fds);
	*out = (struct out){ 0 };
}

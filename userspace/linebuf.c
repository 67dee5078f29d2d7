// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linebuf.h"

#define FIRST_BYTES 4096

const char *linebuf_line(const struct linebuf *lines, size_t *bytes)
{
	const char *end = lines->used ? memchr(lines->buf, '\n', lines->used) : NULL;

	*bytes = end ? end - lines->buf : 0;
	return end ? lines->buf : NULL;
}

void linebuf_drop(struct linebuf *lines, size_t bytes)
{
	lines->used -= bytes + 1;
	memmove(lines->buf, lines->buf + bytes + 1, lines->used);
}

static int grow(struct linebuf *lines)
{
	size_t room = lines->room ? 2 * lines->room : FIRST_BYTES;
	char *buf = room <= LINEBUF_BYTES ? realloc(lines->buf, room) : NULL;

	if (!buf) {
		errno = EMSGSIZE;
		return -1;
	}
	lines->buf = buf;
	lines->room = room;
	return 0;
}

ssize_t linebuf_read(struct linebuf *lines, int fd)
{
	ssize_t got;

	if (lines->used == lines->room && grow(lines))
		return -1;
	got = read(fd, lines->buf + lines->used, lines->room - lines->used);
	lines->used += got > 0 ? got : 0;
	return got;
}

void linebuf_free(struct linebuf *lines)
{
	free(lines->buf);
	*lines = (struct linebuf){ 0 };
}

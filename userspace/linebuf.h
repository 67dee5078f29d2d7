/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines out of a stream of bytes: what came of it and was not taken yet. */
#ifndef LINEBUF_H
#define LINEBUF_H

#include <stddef.h>
#include <sys/types.h>

#define LINEBUF_BYTES (16 << 20)	/* most of one line */

/* Begins as zeros. */
struct linebuf {
	char *buf;
	size_t used, room;
};

/* The first line, if it is whole, and its length without the newline; else NULL. */
const char *linebuf_line(const struct linebuf *lines, size_t *bytes);
/* Takes away that line of @bytes. */
void linebuf_drop(struct linebuf *lines, size_t bytes);

/*
 * Reads some of what is there; answers as read(2), and -1 with EMSGSIZE where a line is
 * longer than LINEBUF_BYTES or than there is memory for.
 */
ssize_t linebuf_read(struct linebuf *lines, int fd);

void linebuf_free(struct linebuf *lines);

#endif

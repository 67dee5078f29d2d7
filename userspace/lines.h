/* SPDX-License-Identifier: GPL-2.0-only */
/* JSON objects on lines, over a pair of file descriptors. */
#ifndef LINES_H
#define LINES_H

#include <jansson.h>
#include <stddef.h>

#include "fault.h"
#include "linebuf.h"

struct lines {
	const char *peer;	/* for errors; the caller's */
	int in, out;
	struct linebuf buf;
};

void lines_open(struct lines *lines, const char *peer, int in, int out);
/* Closes both descriptors. */
void lines_close(struct lines *lines);

/* Takes over @object. */
int lines_send(struct lines *lines, json_t *object, struct fault *fault);

/*
 * 1 and the next object (caller's), 0 at the time-out, -1 at the end and when what
 * came is no object.
 */
int lines_next(struct lines *lines, int timeout_ms, json_t **object, struct fault *fault);

/* In two parts, for who waits for more than that: as above of what is there; reads some. */
int lines_take(struct lines *lines, json_t **object, struct fault *fault);
int lines_fill(struct lines *lines, struct fault *fault);

#endif

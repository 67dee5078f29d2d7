/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON values out of a stream of bytes, found as QEMU finds them: by tokens, and by
 * their brackets. They may share a line or be spread over several.
 */
#ifndef MONITOR_FRAME_H
#define MONITOR_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "lexer.h"

#define FRAME_BYTES	(16 << 20)	/* most of a client's message */
#define FRAME_DEPTH	1000		/* QEMU refuses 1024 */
#define FRAME_MARKS	(1 << 20)	/* brackets, commas, colons: QEMU refuses 2 Mi tokens */

/* Begins as zeros, but for most_bytes. */
struct frame {
	size_t most_bytes;
	char *buf;
	size_t used, room;
	/* of the value that buf begins with, as far as it was looked at */
	size_t seen;
	int braces, brackets;
	unsigned int marks;
	bool single;		/* there are strings in single quotes */
	struct lexer lexer;
};

/* Where to put more bytes, and how many; NULL: the value is too long. */
char *frame_room(struct frame *frame, size_t *bytes);
/*
 * The next value, if it is whole, as a text of its own (caller's) with all strings in
 * double quotes; or NULL. What is not JSON is a text that does not parse either. Sets
 * *bad where the value goes beyond what QEMU takes: nothing can come after that.
 */
char *frame_next(struct frame *frame, const char **bad);
void frame_free(struct frame *frame);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines out of a stream that brings them in pieces, or several at once. */
#ifndef RESPONDER_INTAKE_H
#define RESPONDER_INTAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "answer.h"

enum line { LINE_NONE, LINE_WHOLE, LINE_TOO_LONG };

struct intake {
	char held[LINE_BYTES];
	size_t used;
	bool dropping;	/* the rest of a line that was told as too long */
};

/* Whether intake_next() has one; if not, there is room for more. */
bool intake_ready(const struct intake *intake);
char *intake_room(struct intake *intake, size_t *bytes);
void intake_filled(struct intake *intake, size_t bytes);

/* @bytes are in @line, without the newline. */
enum line intake_next(struct intake *intake, char line[LINE_BYTES], size_t *bytes);

#endif

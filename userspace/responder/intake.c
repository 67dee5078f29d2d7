// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "intake.h"

static void drop(struct intake *intake, size_t bytes)
{
	intake->used -= bytes;
	memmove(intake->held, intake->held + bytes, intake->used);
}

bool intake_ready(const struct intake *intake)
{
	return intake->used == sizeof(intake->held) || memchr(intake->held, '\n', intake->used);
}

char *intake_room(struct intake *intake, size_t *bytes)
{
	*bytes = sizeof(intake->held) - intake->used;
	return intake->held + intake->used;
}

/* Up to the end of a line that is dropped; the rest may be a line. */
void intake_filled(struct intake *intake, size_t bytes)
{
	char *end;

	intake->used += bytes;
	if (!intake->dropping)
		return;
	end = memchr(intake->held, '\n', intake->used);
	intake->dropping = !end;
	drop(intake, end ? (size_t)(end + 1 - intake->held) : intake->used);
}

enum line intake_next(struct intake *intake, char line[LINE_BYTES], size_t *bytes)
{
	char *end = memchr(intake->held, '\n', intake->used);

	if (end) {
		*bytes = end - intake->held;
		memcpy(line, intake->held, *bytes);
		drop(intake, *bytes + 1);
		return LINE_WHOLE;
	}
	if (intake->used < sizeof(intake->held))
		return LINE_NONE;
	intake->used = 0;
	intake->dropping = true;
	return LINE_TOO_LONG;
}

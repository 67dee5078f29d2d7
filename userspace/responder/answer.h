/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines to answers. Nothing here reads a clock or a socket: what is told comes from
 * the program, and a program may obey requests of its own.
 *
 *   echo SEQ      echo SEQ CLOCK_US ERRORS WORK TICKS LONGEST_JUMP_US
 *   status        one JSON object
 *   reset         as status, from before it; then the maxima start anew
 *   anything else {"error":"..."}, if it is no request of the program's own
 */
#ifndef RESPONDER_ANSWER_H
#define RESPONDER_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../fault.h"
#include "text.h"

#define LINE_BYTES	256		/* a line with its newline */
#define ANSWER_BYTES	61440		/* room for 1024 CPUs, and in a datagram */

struct facts {
	bool ready;
	uint64_t clock_us, ticks, longest_jump_us;
	uint64_t work;
	uint64_t errors, disk_errors;	/* an echo tells the sum, status the former */
};

/* What a program obeys beside the above; it is answered as status. */
struct request {
	const char *name, *usage;
	/* @argument is NULL where there was none. */
	int (*obey)(const char *argument, struct fault *fault);
};

struct answers {
	void (*facts)(struct facts *facts);
	void (*status)(struct text *text);	/* adds members to status, a comma before each */
	void (*reset)(void);
	const struct request *requests;		/* one without a name ends them */
};

/* The answer to a line, with a newline and a NUL after it; its length without the NUL. */
size_t answer(const struct answers *answers, const char *line, size_t bytes,
	      char to[ANSWER_BYTES]);
size_t answer_error(const char *why, char to[ANSWER_BYTES]);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one connection to QEMU's own socket. It gets one command at a time, beside those
 * that are out of band: QEMU carries them out one after the other in any case, a full
 * queue of its own would keep an out-of-band command out, and file descriptors that
 * came with a command are not mistaken for those of another.
 */
#ifndef MONITOR_UPSTREAM_H
#define MONITOR_UPSTREAM_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "fault.h"
#include "frame.h"
#include "out.h"
#include "request.h"

#define UPSTREAM_BYTES	(128 << 20)	/* most of one answer */

struct upstream {
	int fd;
	pid_t pid;
	char path[108];
	bool oob;		/* it is enabled */
	json_t *greeting;
	struct frame in;
	struct out out;
	struct request *first, *oobs;	/* the first one is under way */
	unsigned int last_number;
};

/* Connects and negotiates. */
int upstream_open(struct upstream *upstream, const char *path, struct fault *fault);
void upstream_close(struct upstream *upstream);

/* Takes over @request. -1: no memory. */
int upstream_add(struct upstream *upstream, struct request *request);
/* Whose answer that is: the caller's now; NULL: nobody's. The next command goes. */
struct request *upstream_answered(struct upstream *upstream, unsigned int number);

/* Reads what is there. -1: QEMU is gone, or beyond all bounds. */
int upstream_read(struct upstream *upstream);

#endif

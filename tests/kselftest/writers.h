/* SPDX-License-Identifier: GPL-2.0-only */
/* All ways by which something comes to be in guest RAM, at once. */
#ifndef WRITERS_H
#define WRITERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "gate.h"
#include "vcpu.h"

struct writer {
	const char *name;
	/* Once: what it does is in the pages when it returns. 0, or -1: cannot. */
	int (*write)(struct writer *writer);
	unsigned int rest_us;	/* between two times */

	struct gate *gate;
	pthread_t thread;
	char *area;		/* a mapping of its own */
	int fd, disk, pipe[2];
	size_t bytes;
	unsigned int number;
	uint32_t seed;
	uint64_t generation;
	struct vcpu vcpu;
	atomic_ulong done, failed;
};

struct writers {
	struct gate *gate;
	struct writer *writer;	/* shared with the processes that some are */
	int count, process;
};

/* 0, or -1. @fd: a file of @bytes, a power of two. */
int writers_start(struct writers *writers, int fd, size_t bytes);
void writers_end(struct writers *writers);

#endif

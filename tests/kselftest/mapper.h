/* SPDX-License-Identifier: GPL-2.0-only */
/* Another process that maps a region's file, touches nothing, and waits. */
#ifndef MAPPER_H
#define MAPPER_H

#include <stddef.h>
#include <sys/types.h>

struct mapper {
	pid_t pid;
	int end;	/* it stays until this is closed */
};

/* Returns when it has mapped the file: 0, or -1. */
int mapper_start(struct mapper *mapper, int fd, size_t bytes);
/* Its exit status, as waitpid() has it. */
int mapper_end(struct mapper *mapper);

#endif

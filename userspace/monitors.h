/* SPDX-License-Identifier: GPL-2.0-only */
/* The QMP monitors of a QEMU, as its command line names them. */
#ifndef MONITORS_H
#define MONITORS_H

#include <limits.h>
#include <sys/types.h>

#include "fault.h"

#define MONITORS_MAX 8

struct monitors {
	char path[MONITORS_MAX][PATH_MAX];
	unsigned int count;
};

/* Those on sockets with a path, from arguments that are NUL-terminated one after the other. */
void monitors_parse(const char *arguments, size_t bytes, struct monitors *monitors);

/* One of the process @pid that greets, which one with a client does not. */
int monitors_find(pid_t pid, char path[PATH_MAX], struct fault *fault);

#endif

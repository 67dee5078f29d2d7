/* SPDX-License-Identifier: GPL-2.0-only */
/* Which process is at the other end of a UNIX socket. */
#ifndef SOCKPEER_H
#define SOCKPEER_H

#include <sys/types.h>

#include "fault.h"

/* A connection to @path where that process listens; -1 where it is another, or none that takes it at once. */
int sockpeer_connect(const char *path, pid_t pid, struct fault *fault);

/*
 * 0 where that process has the other end of @fd open, whoever connected it. As root, in
 * its network namespace.
 */
int sockpeer_check(int fd, pid_t pid, struct fault *fault);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Which process is at the other end of a UNIX socket. */
#ifndef SOCKPEER_H
#define SOCKPEER_H

#include <stdbool.h>
#include <sys/types.h>

#include "fault.h"

/* A connection to @path where that process listens; -1 where it is another, or none that takes it at once. */
int sockpeer_connect(const char *path, pid_t pid, struct fault *fault);

/*
 * 0 where that process has the other end of @fd open, whoever connected it. As root, in
 * its network namespace.
 */
int sockpeer_check(int fd, pid_t pid, struct fault *fault);

/*
 * Who has the other end of @fd open: mostly who listens there; another where the listener
 * was made for it (libvirt, systemd). 0: nobody that can be seen. Where not all can be
 * seen, without root or unix_diag, it is who listens.
 */
pid_t sockpeer_find(int fd);

/* Whether process @pid is root's or of @other's user, by who ran them, and so may speak of it. */
bool sockpeer_may_name(pid_t pid, pid_t other);

#endif

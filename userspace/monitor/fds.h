/* SPDX-License-Identifier: GPL-2.0-only */
/* File descriptors that come and go with bytes of a UNIX socket. */
#ifndef MONITOR_FDS_H
#define MONITOR_FDS_H

#include <sys/types.h>

#include "fdpass.h"

/* Begins as zeros. */
struct fds {
	unsigned int count;
	int fd[FDPASS_MAX];
};

void fds_close(struct fds *fds);
/* What was in @to is closed. */
void fds_move(struct fds *from, struct fds *to);

/* As recv(2); those that came replace @fds, those that did not leave it as it is. */
ssize_t fds_receive(int socket, char *to, size_t bytes, struct fds *fds);
/* As send(2); @fds go with the first byte, and are closed once they went. */
ssize_t fds_send(int socket, const char *from, size_t bytes, struct fds *fds);

#endif

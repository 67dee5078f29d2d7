/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors that go over a UNIX socket with bytes. */
#ifndef FDPASS_H
#define FDPASS_H

#include <sys/types.h>

#define FDPASS_MAX 2

/* As send(2), without SIGPIPE; at most FDPASS_MAX. */
ssize_t fdpass_send(int sock, const void *data, size_t bytes, const int *fds, unsigned int count);

/* As recv(2). What comes is added to the *count in @fds; what is too many is closed. */
ssize_t fdpass_receive(int sock, void *data, size_t bytes, int fds[FDPASS_MAX],
		       unsigned int *count);

#endif

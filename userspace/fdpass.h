/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors that go over a UNIX socket with bytes. */
#ifndef FDPASS_H
#define FDPASS_H

#include <sys/types.h>

#define FDPASS_MAX 16	/* at once; as many as QEMU takes */

/* As send(2), without SIGPIPE. */
ssize_t fdpass_send(int sock, const void *data, size_t bytes, const int *fds, unsigned int count,
		    int flags);

/* As recv(2). What comes is added to the *count in @fds; what is more than @most is closed. */
ssize_t fdpass_receive(int sock, void *data, size_t bytes, int *fds, unsigned int most,
		       unsigned int *count, int flags);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What ends a wait early: file descriptors that become readable when a job is
 * to stop, or when the peer has something to say. -1: none.
 */
#ifndef WATCH_H
#define WATCH_H

#include <poll.h>

struct watch {
	int stop_fd;
	int peer_fd;
};

#define WATCH_NOTHING (&(const struct watch){ -1, -1 })

/* poll(2) leaves out negative descriptors. */
static inline void watch_poll(const struct watch *watch, struct pollfd fds[2])
{
	fds[0] = (struct pollfd){ .fd = watch->stop_fd, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = watch->peer_fd, .events = POLLIN };
}

#endif

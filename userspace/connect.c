// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "connect.h"

#define ACCEPT_S	5

/* Where the backlog is full, and QEMU's is one client, connect(2) waits as SO_SNDTIMEO says. */
static bool is_connected(int fd, const struct sockaddr_un *addr)
{
	struct timeval limit = { .tv_sec = ACCEPT_S }, none = { 0 };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr))) {
		if (errno == EAGAIN)
			errno = ETIMEDOUT;
		return false;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
	return true;
}

int connect_to(const char *path, struct fault *fault)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		fail(fault, "%s: too long for a socket's path", path);
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && is_connected(fd, &addr))
		return fd;
	error = errno;
	fail(fault, "cannot connect to %s: %s", path, strerror(error));
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "connect.h"

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
	if (fd >= 0 && !connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	error = errno;
	fail(fault, "cannot connect to %s: %s", path, strerror(error));
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

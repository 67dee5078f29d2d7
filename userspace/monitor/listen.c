// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "listen.h"

static bool is_left(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;
	bool left = fd >= 0 && !lstat(addr->sun_path, &st) && S_ISSOCK(st.st_mode) &&
		    connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) &&
		    errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return left;
}

/* The process has one thread: nobody else's files get that mask. */
static int bind_private(int fd, const struct sockaddr_un *addr)
{
	mode_t mask = umask(0177);
	int err = bind(fd, (const struct sockaddr *)addr, sizeof(*addr));

	umask(mask);
	return err;
}

static int resolve(const char *path, char full[108], struct fault *fault)
{
	char real[PATH_MAX];

	if (!realpath(path, real))
		return fail(fault, "--listen %s: %s", path, strerror(errno));
	if (strlen(real) >= 108)
		return fail(fault, "%s: too long for a socket's path", real);
	strcpy(full, real);
	return 0;
}

int listen_at(const char *path, char full[108], struct fault *fault)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return fail(fault, "%s: too long for a socket's path", path);
	strcpy(addr.sun_path, path);
	if (is_left(&addr))
		unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = fd < 0 || bind_private(fd, &addr) || listen(fd, 16);
	if (err)
		fail(fault, "--listen %s: %s", path, strerror(errno));
	else if (!resolve(path, full, fault))
		return fd;
	else
		unlink(path);
	if (fd >= 0)
		close(fd);
	return -1;
}

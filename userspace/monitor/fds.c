// SPDX-License-Identifier: GPL-2.0-only
#include <sys/socket.h>
#include <unistd.h>

#include "fds.h"

void fds_close(struct fds *fds)
{
	while (fds->count)
		close(fds->fd[--fds->count]);
}

void fds_move(struct fds *from, struct fds *to)
{
	fds_close(to);
	*to = *from;
	from->count = 0;
}

ssize_t fds_receive(int socket, char *to, size_t bytes, struct fds *fds)
{
	struct fds came = { 0 };
	ssize_t got = fdpass_receive(socket, to, bytes, came.fd, FDPASS_MAX, &came.count,
				     MSG_DONTWAIT);

	if (came.count)
		fds_move(&came, fds);
	return got;
}

ssize_t fds_send(int socket, const char *from, size_t bytes, struct fds *fds)
{
	ssize_t sent = fdpass_send(socket, from, bytes, fds->fd, fds->count, MSG_DONTWAIT);

	if (sent > 0)
		fds_close(fds);
	return sent;
}

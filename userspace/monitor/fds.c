// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fds.h"

union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

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

static void take(const struct cmsghdr *head, struct fds *fds)
{
	struct fds came = { 0 };

	if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
		return;
	came.count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(came.fd, CMSG_DATA(head), came.count * sizeof(int));
	fds_move(&came, fds);
}

ssize_t fds_receive(int socket, char *to, size_t bytes, struct fds *fds)
{
	struct iovec iov = { .iov_base = to, .iov_len = bytes };
	union control control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	struct cmsghdr *head;

	if (got < 0)
		return got;
	for (head = CMSG_FIRSTHDR(&msg); head; head = CMSG_NXTHDR(&msg, head))
		take(head, fds);
	return got;
}

ssize_t fds_send(int socket, const char *from, size_t bytes, struct fds *fds)
{
	struct iovec iov = { .iov_base = (char *)from, .iov_len = bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control = { 0 };
	ssize_t sent;

	if (fds->count) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(fds->count * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(fds->count * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds->fd, fds->count * sizeof(int));
	}
	sent = sendmsg(socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent > 0)
		fds_close(fds);
	return sent;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fdpass.h"

union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
};

ssize_t fdpass_send(int sock, const void *data, size_t bytes, const int *fds, unsigned int count,
		    int flags)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (count) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
	}
	return sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
}

static void take_fds(struct cmsghdr *head, int *fds, unsigned int most, unsigned int *count)
{
	size_t i, came = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int fd;

	for (i = 0; i < came; i++) {
		memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(fd));
		if (*count < most)
			fds[(*count)++] = fd;
		else
			close(fd);
	}
}

ssize_t fdpass_receive(int sock, void *data, size_t bytes, int *fds, unsigned int most,
		       unsigned int *count, int flags)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = data, .iov_len = bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
	struct cmsghdr *head;

	if (got < 0)
		return got;
	for (head = CMSG_FIRSTHDR(&msg); head; head = CMSG_NXTHDR(&msg, head))
		if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
			take_fds(head, fds, most, count);
	return got;
}

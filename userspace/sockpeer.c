// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sockpeer.h"

int sockpeer_connect(const char *path, pid_t pid, struct fault *fault)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct ucred peer = { 0 };
	socklen_t bytes = sizeof(peer);
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return fail(fault, "the socket's path is too long: %s", path);
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes))
		fail(fault, "cannot connect to %s: %s", path, strerror(errno));
	else if (peer.pid == pid && !fcntl(fd, F_SETFL, 0))
		return fd;
	else
		fail(fault, "at %s listens process %d, not %d", path, (int)peer.pid, (int)pid);
	if (fd >= 0)
		close(fd);
	return -1;
}

static uint32_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

static uint32_t peer_in(const struct nlmsghdr *head)
{
	const struct unix_diag_msg *message = NLMSG_DATA(head);
	const struct rtattr *attr = (const struct rtattr *)(message + 1);
	int left = head->nlmsg_len - NLMSG_LENGTH(sizeof(*message));

	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left))
		if (attr->rta_type == UNIX_DIAG_PEER)
			return *(const uint32_t *)RTA_DATA(attr);
	return 0;
}

/* The inode of the other end, or 0. */
static uint32_t peer_of(int fd)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req req;
	} ask = {
		.head = { .nlmsg_len = sizeof(ask), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST },
		.req = { .sdiag_family = AF_UNIX, .udiag_states = UINT32_MAX,
			 .udiag_ino = inode_of(fd), .udiag_show = UDIAG_SHOW_PEER,
			 .udiag_cookie = { UINT32_MAX, UINT32_MAX } },
	};
	union {
		struct nlmsghdr head;
		char bytes[4096];
	} answer;
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	uint32_t peer = 0;
	ssize_t got;

	if (sock < 0)
		return 0;
	if (send(sock, &ask, sizeof(ask), 0) == sizeof(ask)) {
		got = recv(sock, &answer, sizeof(answer), 0);
		if (got > 0 && NLMSG_OK(&answer.head, (unsigned int)got) &&
		    answer.head.nlmsg_type == SOCK_DIAG_BY_FAMILY)
			peer = peer_in(&answer.head);
	}
	close(sock);
	return peer;
}

static bool has_open(pid_t pid, uint32_t inode)
{
	char dir[64], want[64], path[PATH_MAX], link[64];
	struct dirent *entry;
	bool found = false;
	DIR *fds;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)pid);
	snprintf(want, sizeof(want), "socket:[%u]", inode);
	fds = opendir(dir);
	while (fds && !found && (entry = readdir(fds))) {
		ssize_t bytes;

		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		bytes = readlink(path, link, sizeof(link) - 1);
		link[bytes < 0 ? 0 : bytes] = 0;
		found = !strcmp(link, want);
	}
	if (fds)
		closedir(fds);
	return found;
}

int sockpeer_check(int fd, pid_t pid, struct fault *fault)
{
	uint32_t peer = peer_of(fd);

	if (!peer)
		return fail(fault, "the kernel does not tell who is at the other end of a socket; modprobe unix_diag");
	return has_open(pid, peer) ? 0 :
	       fail(fault, "process %d does not have the other end of the connection", (int)pid);
}

static pid_t find_open(uint32_t inode)
{
	DIR *all = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (all && !found && (entry = readdir(all))) {
		pid_t pid = (pid_t)strtoul(entry->d_name, NULL, 10);

		if (pid > 0 && has_open(pid, inode))
			found = pid;
	}
	if (all)
		closedir(all);
	return found;
}

pid_t sockpeer_find(int fd)
{
	struct ucred listener = { 0 };
	socklen_t bytes = sizeof(listener);
	uint32_t peer = peer_of(fd);
	pid_t found;

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &bytes);
	if (!peer || has_open(listener.pid, peer))
		return listener.pid;
	found = find_open(peer);
	return found || !geteuid() ? found : listener.pid;
}

/* Who ran it: a set-user-ID program that a user runs, his socket with it, is his. */
static bool user_of(pid_t pid, unsigned int *uid)
{
	char path[64], line[256];
	bool found = false;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = fopen(path, "re");
	while (status && !found && fgets(line, sizeof(line), status))
		found = sscanf(line, "Uid: %u", uid) == 1;
	if (status)
		fclose(status);
	return found;
}

bool sockpeer_may_name(pid_t pid, pid_t other)
{
	unsigned int uid, of;

	return user_of(pid, &uid) && (!uid || (user_of(other, &of) && uid == of));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Runs one command on an emulated host, from outside the rig's network
 * namespace: command NETNS ADDRESS TIMEOUT_S CONNECT_S STDIN(0|1) CMD...
 * Exit status: the command's; 124 on time-out; 70 when the host does not answer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <netinet/tcp.h>

#include "frame.h"

#define EXIT_USAGE	64
#define EXIT_DEAD	70
#define EXIT_TIMEOUT	124
#define SILENCE_MAX_MS	20000

static char buf[FRAME_MAX];

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static int enter_netns(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET)) {
		fprintf(stderr, "rig: no network namespace %s: is the rig up?\n", name);
		return -1;
	}
	close(fd);
	return 0;
}

static int connect_host(const char *addr, int limit_ms)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(RIG_PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;
	struct pollfd pfd = { fd, POLLOUT, 0 };
	socklen_t len = sizeof(err);
	int one = 1;

	inet_pton(AF_INET, addr, &sa.sin_addr);
	if (connect(fd, (void *)&sa, sizeof(sa)) && errno != EINPROGRESS)
		return -1;
	if (poll(&pfd, 1, limit_ms) != 1)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) || err)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(fd, F_SETFL, 0);
	return fd;
}

static int send_command(int sock, char **argv)
{
	size_t len;

	if (!getcwd(buf, 4096))
		strcpy(buf, "/");
	len = strlen(buf) + 1;
	for (; *argv; argv++) {
		size_t n = strlen(*argv) + 1;

		if (len + n > FRAME_MAX) {
			fprintf(stderr, "rig: command longer than %d bytes\n", FRAME_MAX);
			exit(EXIT_USAGE);
		}
		memcpy(buf + len, *argv, n);
		len += n;
	}
	return frame_send(sock, FRAME_COMMAND, buf, len);
}

/*
 * A process of its own, so that a command which talks back while it is being
 * talked to cannot block both ends.
 */
static pid_t forward_stdin(int sock, int wanted)
{
	pid_t pid = fork();
	ssize_t n = 1;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (n > 0) {
		n = wanted ? read(0, buf, sizeof(buf)) : 0;
		if (frame_send(sock, FRAME_STDIN, buf, n > 0 ? n : 0))
			break;
	}
	_exit(0);
}

/* Returns the exit status, -1 to go on, -2 when the connection broke. */
static int take_frame(int sock)
{
	struct frame f;

	if (frame_recv(sock, &f, buf))
		return -2;
	if (f.type == FRAME_EXIT)
		return (unsigned char)buf[0];
	if (f.type == FRAME_STDOUT || f.type == FRAME_STDERR)
		write_all(f.type == FRAME_STDOUT ? 1 : 2, buf, f.len);
	return -1;
}

static int converse(int sock, long long deadline)
{
	long long heard = now_ms(), now;
	struct pollfd pfd = { sock, POLLIN, 0 };
	int status;

	for (;;) {
		poll(&pfd, 1, 500);
		now = now_ms();
		if (pfd.revents) {
			status = take_frame(sock);
			if (status == -2)
				return EXIT_DEAD;
			if (status >= 0)
				return status;
			heard = now_ms();
		} else if (now - heard > SILENCE_MAX_MS) {
			return EXIT_DEAD;
		}
		if (now > deadline)
			return EXIT_TIMEOUT;
	}
}

int main(int argc, char **argv)
{
	int sock, status;
	pid_t feeder;

	if (argc < 7) {
		fprintf(stderr, "usage: %s NETNS ADDRESS TIMEOUT_S CONNECT_S STDIN CMD...\n",
			argv[0]);
		return EXIT_USAGE;
	}
	if (enter_netns(argv[1]))
		return EXIT_DEAD;
	sock = connect_host(argv[2], atoi(argv[4]) * 1000);
	if (sock < 0 || send_command(sock, argv + 6))
		return EXIT_DEAD;
	feeder = forward_stdin(sock, atoi(argv[5]));
	status = converse(sock, now_ms() + atoi(argv[3]) * 1000LL);
	if (feeder > 0)
		kill(feeder, SIGKILL);
	return status;
}

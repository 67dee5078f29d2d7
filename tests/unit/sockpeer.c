// SPDX-License-Identifier: GPL-2.0-only
/* Who is at the other end of a UNIX socket: who listens, who has it, whoever connected. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fdpass.h"
#include "scratch.h"
#include "sockpeer.h"
#include "tap.h"

static int listens(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1))
		tap_give_up("cannot listen");
	return fd;
}

/* A process that has nothing of ours but what it is given on @sock, and keeps that. */
static pid_t keeper(int sock)
{
	int kept[1];
	unsigned int count = 0;
	pid_t pid = fork();
	char byte;

	if (pid)
		return pid;
	fdpass_receive(sock, &byte, 1, kept, 1, &count, 0);
	close_range(3, kept[0] - 1, 0);
	close_range(kept[0] + 1, ~0U, 0);
	for (;;)
		pause();
}

static void who_listens(void)
{
	const char *path = scratch_path("socket");
	int listener = listens(path), fd;
	struct fault fault = { "" };

	fd = sockpeer_connect(path, getpid(), &fault);
	CHECK(fd >= 0);
	CHECK(write(fd, "x", 1) == 1);
	close(fd);
	CHECK(sockpeer_connect(path, getppid(), &fault) == -1);
	CHECK_HAS(fault.text, "listens process");
	close(listener);
	CHECK(sockpeer_connect(path, getpid(), &fault) == -1);
	CHECK_HAS(fault.text, "Connection refused");
	CHECK(sockpeer_connect(scratch_path("nothing"), getpid(), &fault) == -1);
	CHECK_HAS(fault.text, "No such file");
}

/* We connect, as libvirtd does, and give the connection away. */
static void who_has_it(void)
{
	const char *path = scratch_path("socket");
	int listener = listens(path), ours, theirs, give[2];
	struct fault fault = { "" };
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, give))
		tap_give_up("no socket pair");
	pid = keeper(give[1]);
	theirs = sockpeer_connect(path, getpid(), &fault);
	ours = accept(listener, NULL, NULL);
	CHECK(theirs >= 0 && ours >= 0);
	CHECK(!sockpeer_check(ours, getpid(), &fault) && sockpeer_find(ours) == getpid());
	CHECK(sockpeer_check(ours, pid, &fault) == -1);
	CHECK_HAS(fault.text, "does not have the other end");
	CHECK(fdpass_send(give[0], "x", 1, &theirs, 1, 0) == 1);
	close(theirs);
	while (sockpeer_check(ours, pid, &fault) && !waitpid(pid, NULL, WNOHANG))
		usleep(1000);
	CHECK(!sockpeer_check(ours, pid, &fault) && sockpeer_find(ours) == pid);
	CHECK(sockpeer_check(ours, getpid(), &fault) == -1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(sockpeer_check(ours, pid, &fault) == -1);
	close(ours);
	close(listener);
	close(give[0]);
	close(give[1]);
}

static void nobody(void)
{
	struct fault fault = { "" };
	int pair[2], pipes[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || pipe(pipes))
		tap_give_up("no sockets");
	CHECK(!sockpeer_check(pair[0], getpid(), &fault));
	close(pair[1]);
	CHECK(sockpeer_check(pair[0], getpid(), &fault) == -1);
	CHECK(sockpeer_check(pipes[0], getpid(), &fault) == -1);
	CHECK(sockpeer_check(-1, getpid(), &fault) == -1);
	close(pair[0]);
	close(pipes[0]);
	close(pipes[1]);
}

static pid_t runs_as(uid_t uid, uid_t effective)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe(ready))
		tap_give_up("no pipe");
	pid = fork();
	if (!pid) {
		if (setresuid(uid, effective, effective))
			_exit(1);
		close(ready[0]);
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	CHECK(read(ready[0], &byte, 1) == 0);
	close(ready[0]);
	return pid;
}

/* Root of all, others of what is theirs. */
static void may_name(void)
{
	pid_t one, same, other, set_id, all[4];
	int i;

	if (geteuid())
		tap_skip("not root");
	all[0] = one = runs_as(65534, 65534);
	all[1] = same = runs_as(65534, 65534);
	all[2] = other = runs_as(65533, 65533);
	all[3] = set_id = runs_as(65534, 0);
	CHECK(sockpeer_may_name(getpid(), one) && sockpeer_may_name(one, same));
	CHECK(!sockpeer_may_name(one, other) && !sockpeer_may_name(one, getpid()));
	CHECK(sockpeer_may_name(set_id, one) && !sockpeer_may_name(set_id, other));
	for (i = 0; i < 4; i++) {
		kill(all[i], SIGKILL);
		waitpid(all[i], NULL, 0);
	}
	CHECK(!sockpeer_may_name(one, same) && !sockpeer_may_name(0, getpid()));
}

int main(void)
{
	static const struct test tests[] = {
		{ "who listens", who_listens },
		{ "who has the other end", who_has_it },
		{ "who may speak of whom", may_name },
		{ "nobody, and what is no socket", nobody },
	};

	return TAP_RUN(tests);
}

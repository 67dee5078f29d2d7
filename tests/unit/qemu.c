// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qemu.h"
#include "tap.h"

#define QEMU "/usr/bin/qemu-system-x86_64"

/* QEMU in the environment is another one to try. */
static const char *qemu(void)
{
	return getenv("QEMU") ?: QEMU;
}

/* Listens, and becomes QEMU: a client's peer is its process. */
_Noreturn static void become_qemu(const char *path, const char *options)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char command[1024];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	snprintf(command, sizeof(command),
		 "exec %s -machine none -nodefaults -display none -S -chardev socket,id=qmp,fd=%d,server=on,wait=off -mon chardev=qmp,mode=control %s",
		 qemu(), fd, options);
	unlink(path);
	if (!bind(fd, (struct sockaddr *)&addr, sizeof(addr)) && !listen(fd, 1))
		execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

pid_t qemu_start(const char *path, const char *options)
{
	int started[2];
	char byte;
	pid_t pid;

	if (access(qemu(), X_OK))
		tap_skip("no QEMU");
	if (pipe2(started, O_CLOEXEC))
		tap_give_up("pipe");
	fflush(NULL);
	pid = fork();
	if (!pid)
		become_qemu(path, options);
	close(started[1]);
	while (read(started[0], &byte, 1) > 0)	/* ends with its exec */
		;
	close(started[0]);
	return pid;
}

void qemu_end(pid_t pid)
{
	kill(pid, SIGKILL);	/* 7.2 may hang at an end it is asked for, in its monitor */
	waitpid(pid, NULL, 0);
}

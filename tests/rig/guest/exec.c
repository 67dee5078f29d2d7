// SPDX-License-Identifier: GPL-2.0
/* A program that the guest runs beside its own work. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

void exec_start(void)
{
	pid_t pid;

	if (!settings.exec[0])
		return;
	signal(SIGCHLD, SIG_IGN);	/* init has no other children to wait for */
	pid = fork();
	if (pid < 0)
		say("cannot start %s: %s", settings.exec, strerror(errno));
	if (pid)
		return;
	signal(SIGCHLD, SIG_DFL);
	execl(settings.exec, settings.exec, NULL);
	say("cannot run %s: %s", settings.exec, strerror(errno));
	_exit(127);
}

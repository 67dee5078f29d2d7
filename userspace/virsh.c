// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "virsh.h"

#define WORDS_MAX	256

/* @output: where that goes, errors with it; -1: where ours go. */
static pid_t start(const char *const *words, int output, struct fault *fault)
{
	const char *all[WORDS_MAX + 4] = { "virsh", "-c", "qemu:///system" };
	size_t count;
	pid_t pid;

	for (count = 0; words[count]; count++) {
		if (count == WORDS_MAX)
			return fail(fault, "too many options for virsh");
		all[3 + count] = words[count];
	}
	pid = fork();
	if (pid)
		return pid > 0 ? pid : fail(fault, "cannot start virsh: %s", strerror(errno));
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	if (output >= 0) {
		dup2(output, STDOUT_FILENO);
		dup2(output, STDERR_FILENO);
	}
	execvp(all[0], (char *const *)all);
	dprintf(STDERR_FILENO, "virsh: %s; apt install libvirt-clients\n", strerror(errno));
	_exit(127);
}

pid_t virsh_start(const char *const *words, bool quiet, struct fault *fault)
{
	return start(words, quiet ? STDERR_FILENO : -1, fault);
}

int virsh_end(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The beginning of what it prints; -1 when it fails. */
static int ask(const char *const *words, char *text, size_t room)
{
	struct fault ignored;
	ssize_t got = 0;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = start(words, ends[1], &ignored);
	close(ends[1]);
	if (pid > 0)
		got = read(ends[0], text, room - 1);
	close(ends[0]);
	text[got < 0 ? 0 : got] = 0;
	return pid > 0 && !virsh_end(pid) ? 0 : -1;
}

long virsh_max_downtime(const char *domain)
{
	const char *const words[] = { "migrate-getmaxdowntime", "--domain", domain, NULL };
	char text[64], *end;
	long ms;

	if (ask(words, text, sizeof(text)))
		return -1;
	ms = strtol(text, &end, 10);
	return end == text ? -1 : ms;
}

void virsh_set_max_downtime(const char *domain, long ms)
{
	char number[32], text[64];
	const char *const words[] = { "migrate-setmaxdowntime", "--domain", domain, "--downtime",
				      number, NULL };

	snprintf(number, sizeof(number), "%ld", ms);
	ask(words, text, sizeof(text));
}

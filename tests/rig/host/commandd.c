// SPDX-License-Identifier: GPL-2.0
/*
 * The last thing a host's init script starts, as process 1: runs commands that
 * come in over the control network, one connection each. A command dies with
 * its connection; what it leaves in the background lives on.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <netinet/tcp.h>

#include "../frame.h"

#define ARGS_MAX 1024

struct command {
	int sock;
	pid_t pid;
	int pidfd;
	int in, out, err;
	char held[FRAME_MAX];	/* input the command has not taken yet */
	size_t held_off, held_len;
};

static char buf[FRAME_MAX + 1];

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void exec_command(const struct frame *f, int in, int out, int err)
{
	char *argv[ARGS_MAX + 1], *p = buf, *end = buf + f->len;
	const char *dir = p;
	int argc = 0;

	for (p += strlen(p) + 1; p < end && argc < ARGS_MAX; p += strlen(p) + 1)
		argv[argc++] = p;
	argv[argc] = NULL;
	setsid();
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	close_range(3, ~0U, 0);
	if (chdir(dir) && chdir("/"))
		_exit(126);
	if (argc)
		execvp(argv[0], argv);
	dprintf(2, "%s: %s\n", argc ? argv[0] : "no command", strerror(errno));
	_exit(127);
}

static int command_start(struct command *c)
{
	int in[2], out[2], err[2];
	struct frame f;

	if (frame_recv(c->sock, &f, buf) || f.type != FRAME_COMMAND)
		return -1;
	buf[f.len] = 0;
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		return -1;
	c->pid = fork();
	if (c->pid < 0)
		return -1;
	if (!c->pid)
		exec_command(&f, in[0], out[1], err[1]);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	c->in = in[1];
	c->out = out[0];
	c->err = err[0];
	fcntl(c->in, F_SETFL, O_NONBLOCK);
	fcntl(c->out, F_SETFL, O_NONBLOCK);
	fcntl(c->err, F_SETFL, O_NONBLOCK);
	c->pidfd = syscall(SYS_pidfd_open, c->pid, 0);
	return c->pidfd < 0 ? -1 : 0;
}

/* Passes on what is there. Closes the pipe at its end. */
static int pass_output(struct command *c, int *fd, uint32_t type)
{
	ssize_t n;

	while (*fd >= 0 && (n = read(*fd, buf, FRAME_MAX)) != -1) {
		if (!n)
			close_fd(fd);
		else if (frame_send(c->sock, type, buf, n))
			return -1;
	}
	return 0;
}

static void pass_input(struct command *c)
{
	ssize_t n = write(c->in, c->held + c->held_off, c->held_len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		close_fd(&c->in);
		c->held_len = 0;
		return;
	}
	c->held_off += n;
	c->held_len -= n;
}

static int take_input(struct command *c)
{
	struct frame f;

	if (frame_recv(c->sock, &f, c->held) || f.type != FRAME_STDIN)
		return -1;
	if (!f.len || c->in < 0) {
		close_fd(&c->in);
		return 0;
	}
	c->held_off = 0;
	c->held_len = f.len;
	pass_input(c);
	return 0;
}

/* Returns 1 once the command has ended, -1 when its caller is gone. */
static int command_step(struct command *c)
{
	bool holding = c->held_len > 0;
	struct pollfd fds[] = {
		{ c->sock, (holding ? 0 : POLLIN) | POLLRDHUP, 0 },
		{ c->pidfd, POLLIN, 0 },
		{ c->out, POLLIN, 0 },
		{ c->err, POLLIN, 0 },
		{ holding ? c->in : -1, POLLOUT, 0 },
	};
	int n = poll(fds, 5, 1000);

	if (n < 0)
		return errno == EINTR ? 0 : -1;
	if (fds[0].revents & ~POLLIN)
		return -1;
	if (!n && frame_send(c->sock, FRAME_ALIVE, NULL, 0))
		return -1;
	if (fds[4].revents)
		pass_input(c);
	if (fds[2].revents && pass_output(c, &c->out, FRAME_STDOUT))
		return -1;
	if (fds[3].revents && pass_output(c, &c->err, FRAME_STDERR))
		return -1;
	if (fds[1].revents)
		return 1;
	return fds[0].revents ? take_input(c) : 0;
}

static void command_kill(struct command *c)
{
	struct pollfd gone = { c->pidfd, POLLIN, 0 };

	kill(-c->pid, SIGTERM);
	if (!poll(&gone, 1, 2000))
		kill(-c->pid, SIGKILL);
}

static void command_end(struct command *c)
{
	unsigned char code;
	int status;

	pass_output(c, &c->out, FRAME_STDOUT);
	pass_output(c, &c->err, FRAME_STDERR);
	waitpid(c->pid, &status, 0);
	code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	frame_send(c->sock, FRAME_EXIT, &code, 1);
}

static void serve(int sock)
{
	static struct command c;
	int one = 1, ended;

	signal(SIGCHLD, SIG_DFL);
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(sock, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	c.sock = sock;
	if (command_start(&c))
		_exit(1);
	do {
		ended = command_step(&c);
	} while (!ended);
	if (ended > 0)
		command_end(&c);
	else
		command_kill(&c);
	_exit(0);
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(sock, (void *)&sa, sizeof(sa)) || listen(sock, 128)) {
		perror("command server");
		return -1;
	}
	return sock;
}

int main(void)
{
	int lsock = listen_on(RIG_PORT), sock;

	if (lsock < 0)
		return 1;
	signal(SIGCHLD, SIG_IGN);	/* nobody waits for orphans: no zombies */
	signal(SIGPIPE, SIG_IGN);
	printf("rig: ready\n");
	fflush(stdout);
	for (;;) {
		sock = accept4(lsock, NULL, NULL, SOCK_CLOEXEC);
		if (sock < 0)
			continue;
		if (!fork()) {
			close(lsock);
			serve(sock);
		}
		close(sock);
	}
}

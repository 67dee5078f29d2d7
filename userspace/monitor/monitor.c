// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "connect.h"
#include "listen.h"
#include "monitor.h"

#define LAST_WORDS_MS	2000

enum { AT_STOP, AT_QEMU, AT_LISTEN, AT_MIGRATION, AT_INCOMING, AT_USERS };

/* As QEMU gave it; and what is behind us, for our daemon. */
static char *make_greeting(const struct upstream *qemu)
{
	json_object_set_new(qemu->greeting, "vmfastmig",
			    json_pack("{s:i,s:s}", "pid", (int)qemu->pid, "qmp", qemu->path));
	return json_dumps(qemu->greeting, 0);
}

int monitor_open(struct monitor *monitor, const char *qmp, const char *path, const char *daemon,
		 struct fault *fault)
{
	*monitor = (struct monitor){ .listen_fd = -1, .daemon = daemon };
	if (upstream_open(&monitor->qemu, qmp, fault))
		return -1;
	monitor->greeting = make_greeting(&monitor->qemu);
	if (!monitor->greeting)
		return fail(fault, "no memory");
	monitor->listen_fd = listen_at(path, monitor->path, fault);
	return monitor->listen_fd < 0 ? -1 : 0;
}

void monitor_close(struct monitor *monitor)
{
	while (monitor->users) {
		struct user *user = monitor->users;

		monitor->users = user->next;
		user_free(user);
	}
	if (monitor->listen_fd >= 0) {
		unlink(monitor->path);
		close(monitor->listen_fd);
	}
	free(monitor->greeting);
	migration_free(&monitor->migration);
	incoming_free(&monitor->incoming);
	upstream_close(&monitor->qemu);
}

static int add_user(struct monitor *monitor, int fd)
{
	struct user *user = fd >= 0 ? user_new(fd, ++monitor->last_serial) : NULL;

	if (!user)
		return -1;
	user->next = monitor->users;
	monitor->users = user;
	monitor->count++;
	user_tell(user, monitor->greeting);
	return 0;
}

int monitor_connect(struct monitor *monitor, const char *path, struct fault *fault)
{
	int fd = connect_to(path, fault);

	if (fd < 0)
		return -1;
	return add_user(monitor, fd) ? fail(fault, "no memory") : 0;
}

static void drop_users(struct monitor *monitor)
{
	struct user **at = &monitor->users;

	while (*at) {
		struct user *user = *at;

		if (!user_is_done(user)) {
			at = &user->next;
			continue;
		}
		*at = user->next;
		user_free(user);
		monitor->count--;
	}
}

static int fill(const struct monitor *monitor, int stop_fd, struct pollfd *fds)
{
	const struct upstream *qemu = &monitor->qemu;
	struct user *user;
	int count = AT_USERS;

	fds[AT_STOP] = (struct pollfd){ .fd = stop_fd, .events = POLLIN };
	fds[AT_QEMU] = (struct pollfd){ .fd = qemu->fd, .events = POLLIN |
					(out_waiting(&qemu->out) ? POLLOUT : 0) };
	fds[AT_LISTEN] = (struct pollfd){ .events = POLLIN, .fd = monitor->count <
					  MONITOR_USERS ? monitor->listen_fd : -1 };
	fds[AT_MIGRATION] = (struct pollfd){ .fd = migration_fd(&monitor->migration),
					     .events = POLLIN };
	fds[AT_INCOMING] = (struct pollfd){ .fd = incoming_fd(&monitor->incoming),
					    .events = POLLIN };
	for (user = monitor->users; user; user = user->next)
		fds[count++] = (struct pollfd){ .fd = user->fd, .events = user_events(user) };
	return count;
}

static void serve_users(struct monitor *monitor, const struct pollfd *fds)
{
	struct user *user;

	for (user = monitor->users; user; user = user->next, fds++) {
		if (fds->revents & POLLIN & fds->events)
			user_read(user);
		else if (fds->revents & (POLLHUP | POLLERR))
			user->gone = true;
		if (fds->revents & POLLOUT)
			user_write(user);
	}
}

/* -1: the end of QEMU, after all it said. */
static int serve_qemu(struct monitor *monitor)
{
	int gone = upstream_read(&monitor->qemu);
	const char *bad;
	char *text;
	int err = 0;

	while (!err && (text = frame_next(&monitor->qemu.in, &bad))) {
		err = monitor_heed(monitor, text);
		if (err)
			fprintf(stderr, "vmfastmig: QEMU says what makes no sense: %.200s\n", text);
		free(text);
	}
	return gone || bad ? -1 : 0;
}

/* Their last answers, as far as they take them soon. */
static void flush_users(struct monitor *monitor)
{
	uint64_t deadline_ms = clock_ms() + LAST_WORDS_MS;
	struct user *user;
	bool waiting = true;

	while (waiting && clock_ms() < deadline_ms) {
		waiting = false;
		for (user = monitor->users; user; user = user->next) {
			user_write(user);
			waiting |= !user->gone && out_waiting(&user->out);
		}
		if (waiting)
			usleep(10000);
	}
}

static int turn(struct monitor *monitor, const struct pollfd *fds)
{
	if (fds[AT_QEMU].revents & (POLLIN | POLLHUP | POLLERR) && serve_qemu(monitor))
		return -1;
	if (fds[AT_MIGRATION].revents)
		migration_on_daemon(monitor);
	if (fds[AT_INCOMING].revents)
		incoming_on_daemon(monitor);
	serve_users(monitor, fds + AT_USERS);
	if (fds[AT_LISTEN].revents)
		add_user(monitor, accept4(monitor->listen_fd, NULL, NULL,
					  SOCK_CLOEXEC | SOCK_NONBLOCK));
	monitor_hear_all(monitor);
	drop_users(monitor);
	out_flush(&monitor->qemu.out, monitor->qemu.fd);	/* its end is read */
	return 0;
}

int monitor_run(struct monitor *monitor, int stop_fd)
{
	struct pollfd fds[AT_USERS + MONITOR_USERS];

	for (;;) {
		int count = fill(monitor, stop_fd, fds);

		if (poll(fds, count, -1) < 0)
			continue;
		if (fds[AT_STOP].revents)
			return 0;
		if (turn(monitor, fds))
			break;
	}
	fprintf(stderr, "vmfastmig: the QEMU behind %s is gone\n", monitor->qemu.path);
	flush_users(monitor);
	return 0;
}

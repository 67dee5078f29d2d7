// SPDX-License-Identifier: GPL-2.0-only
/* A connection to a UNIX socket: of somebody who accepts, is busy, or is not there. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "connect.h"
#include "qmp.h"
#include "scratch.h"
#include "tap.h"

#define MOST 16

static struct sockaddr_un addr = { .sun_family = AF_UNIX };
static int listener, waiting[MOST];

/* With a backlog as small as QEMU's, and so many clients that no other one fits. */
static void listen_full(void)
{
	int i;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", scratch_path("full"));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(listener, 1))
		tap_give_up("cannot listen");
	for (i = 0; i < MOST; i++) {
		waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (connect(waiting[i], (struct sockaddr *)&addr, sizeof(addr)))
			break;
	}
	CHECK(i < MOST && errno == EAGAIN);
	while (++i < MOST)
		waiting[i] = -1;
}

static void end(void)
{
	int i;

	for (i = 0; i < MOST; i++)
		if (waiting[i] >= 0)
			close(waiting[i]);
	close(listener);
}

static void full(void)
{
	struct fault fault = { "" };
	struct qmp qmp;

	listen_full();
	CHECK(connect_to(addr.sun_path, &fault) == -1 && errno == ETIMEDOUT);
	CHECK_HAS(fault.text, "Connection timed out");
	CHECK(qmp_open(&qmp, addr.sun_path, &fault) == -1 && !qmp.no_listener);
	CHECK_HAS(fault.text, "cannot connect to the monitor");
	CHECK_HAS(fault.text, "Connection timed out");
	end();
}

static void *accepts_late(void *arg)
{
	int i;

	(void)arg;
	usleep(500000);
	for (i = 0; i < MOST && waiting[i] >= 0; i++)
		close(accept(listener, NULL, NULL));
	return NULL;
}

/* What is sent on it later may take as long as it does. */
static void soon_free(void)
{
	struct timeval limit = { 1, 1 };
	socklen_t bytes = sizeof(limit);
	struct fault fault = { "" };
	pthread_t thread;
	int fd;

	listen_full();
	CHECK(!pthread_create(&thread, NULL, accepts_late, NULL));
	fd = connect_to(addr.sun_path, &fault);
	CHECK(fd >= 0);
	CHECK(!getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, &bytes) && !limit.tv_sec &&
	      !limit.tv_usec);
	close(fd);
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	end();
}

static void nobody(void)
{
	struct fault fault = { "" };
	char path[200];

	CHECK(connect_to(scratch_path("none"), &fault) == -1 && errno == ENOENT);
	CHECK_HAS(fault.text, "No such file");
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	CHECK(connect_to(path, &fault) == -1 && errno == ENAMETOOLONG);
	CHECK_HAS(fault.text, "too long for a socket's path");
}

int main(void)
{
	static const struct test tests[] = {
		{ "nobody is served", full },
		{ "room in time", soon_free },
		{ "nobody listens", nobody },
	};

	return TAP_RUN(tests);
}

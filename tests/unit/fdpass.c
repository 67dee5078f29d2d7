// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors over a UNIX socket. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fdpass.h"
#include "tap.h"

static int pair[2];
static int given[2];
static unsigned int count;

static void begin(void)
{
	count = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		tap_give_up("no sockets");
}

static void end(void)
{
	while (count)
		close(given[--count]);
	close(pair[0]);
	close(pair[1]);
}

static void two(void)
{
	int ends[2];
	char got[8];

	begin();
	CHECK(!pipe(ends));
	CHECK(fdpass_send(pair[0], "line\n", 5, ends, 2, 0) == 5);
	CHECK(fdpass_receive(pair[1], got, 2, given, 2, &count, 0) == 2 && count == 2);
	CHECK(fdpass_receive(pair[1], got + 2, 6, given, 2, &count, 0) == 3 && count == 2);
	CHECK(!memcmp(got, "line\n", 5));
	CHECK(fcntl(given[0], F_GETFD) == FD_CLOEXEC);
	/* In their order, and the same pipe. */
	CHECK(write(given[1], "x", 1) == 1 && read(ends[0], got, 1) == 1 && *got == 'x');
	close(ends[0]);
	close(ends[1]);
	CHECK(write(given[1], "y", 1) == 1 && read(given[0], got, 1) == 1 && *got == 'y');
	end();
}

static void none(void)
{
	char got[8];

	begin();
	CHECK(fdpass_send(pair[0], "a", 1, NULL, 0, 0) == 1);
	CHECK(fdpass_receive(pair[1], got, 8, given, 2, &count, 0) == 1 && count == 0);
	close(pair[0]);
	CHECK(fdpass_receive(pair[1], got, 8, given, 2, &count, 0) == 0);
	pair[0] = dup(pair[1]);
	end();
}

/* What is too many is closed: the pipe's end is seen. */
static void too_many(void)
{
	int ends[2];
	char got[8];

	begin();
	CHECK(fdpass_send(pair[0], "a", 1, pair, 2, 0) == 1);
	CHECK(!pipe(ends));
	CHECK(fdpass_send(pair[0], "b", 1, ends + 1, 1, 0) == 1);
	CHECK(fdpass_receive(pair[1], got, 1, given, 2, &count, 0) == 1);
	CHECK(fdpass_receive(pair[1], got, 1, given, 2, &count, 0) == 1 && count == 2);
	close(ends[1]);
	CHECK(read(ends[0], got, 1) == 0);
	close(ends[0]);
	end();
}

int main(void)
{
	static const struct test tests[] = {
		{ "two", two },
		{ "none", none },
		{ "too many", too_many },
	};

	return TAP_RUN(tests);
}

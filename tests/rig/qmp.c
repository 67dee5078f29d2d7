// SPDX-License-Identifier: GPL-2.0
/*
 * Says one thing to a QEMU: qmp SOCKET JSON. Prints what it returns; status 1
 * and its error when it refuses, 2 when it does not answer within 20 s.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int dial(const char *path)
{
	struct timeval limit = { .tv_sec = 20 };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) >= sizeof(sa.sun_path))
		return -1;
	strcpy(sa.sun_path, path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (void *)&sa, sizeof(sa)))
		return -1;
	return fd;
}

/* The next line that is neither greeting nor event; NULL at the end. */
static char *answer(FILE *qmp)
{
	static char *line;
	static size_t size;

	while (getline(&line, &size, qmp) > 0)
		if (!strncmp(line, "{\"return\"", 9) || !strncmp(line, "{\"error\"", 8))
			return line;
	return NULL;
}

static char *ask(FILE *qmp, const char *what)
{
	dprintf(fileno(qmp), "%s\n", what);
	return answer(qmp);
}

int main(int argc, char **argv)
{
	FILE *qmp;
	char *line;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: %s SOCKET JSON\n", argv[0]);
		return 2;
	}
	fd = dial(argv[1]);
	qmp = fd < 0 ? NULL : fdopen(fd, "r");
	if (!qmp) {
		fprintf(stderr, "qmp: nobody listens on %s\n", argv[1]);
		return 2;
	}
	if (!ask(qmp, "{\"execute\":\"qmp_capabilities\"}")) {
		fprintf(stderr, "qmp: no greeting on %s\n", argv[1]);
		return 2;
	}
	line = ask(qmp, argv[2]);
	if (!line) {
		fprintf(stderr, "qmp: no answer on %s\n", argv[1]);
		return 2;
	}
	fputs(line, strncmp(line, "{\"error\"", 8) ? stdout : stderr);
	return !!strncmp(line, "{\"return\"", 9);
}

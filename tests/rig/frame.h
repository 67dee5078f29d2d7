/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the command server in a host and its caller say to each other: frames of
 * a type, a length and that many bytes. The caller starts with FRAME_COMMAND
 * (working directory, then the arguments, each ending in a NUL).
 */
#ifndef RIG_FRAME_H
#define RIG_FRAME_H

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#define RIG_PORT	7001
#define FRAME_MAX	65536

enum frame_type {
	FRAME_COMMAND = 1,
	FRAME_STDIN,		/* no bytes: end of file */
	FRAME_STDOUT,
	FRAME_STDERR,
	FRAME_ALIVE,		/* the server says so once a second */
	FRAME_EXIT,		/* one byte: the exit status */
};

struct frame {
	uint32_t type;
	uint32_t len;
};

static inline int write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= n;
	}
	return 0;
}

static inline int read_all(int fd, void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= n;
	}
	return 0;
}

static inline int frame_send(int fd, uint32_t type, const void *buf, uint32_t len)
{
	struct frame f = { type, len };

	if (write_all(fd, &f, sizeof(f)))
		return -1;
	return len ? write_all(fd, buf, len) : 0;
}

/* Returns 0 with at most FRAME_MAX bytes in @buf, -1 at the end of the connection. */
static inline int frame_recv(int fd, struct frame *f, void *buf)
{
	if (read_all(fd, f, sizeof(*f)) || f->len > FRAME_MAX)
		return -1;
	return f->len ? read_all(fd, buf, f->len) : 0;
}

#endif

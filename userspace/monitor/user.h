/* SPDX-License-Identifier: GPL-2.0-only */
/* One that is connected to our socket. */
#ifndef MONITOR_USER_H
#define MONITOR_USER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "fds.h"
#include "frame.h"
#include "out.h"
#include "request.h"

#define USER_REQUESTS	8		/* wait at most, then it is not read from; as QEMU's */
#define USER_TAKES	(64 << 10)	/* with more that it did not read, nothing new is begun */
#define USER_BYTES	(4 << 20)	/* with more, and an event, it is dropped */

struct user {
	struct user *next;
	uint64_t serial;
	int fd;
	bool negotiated, oob;
	bool inner;		/* our daemon, in the course of a migration */
	bool busy;		/* a command of it is under way */
	bool eof, gone;		/* eof: what it said still is answered */
	struct frame in;
	struct out out;
	struct fds fds;		/* those it sent last */
	struct request *first;	/* waits for its turn */
	unsigned int waiting, oobs;
};

struct user *user_new(int fd, uint64_t serial);
void user_free(struct user *user);

/* What to poll for. */
short user_events(const struct user *user);
/* What is there; marks the user as gone where it is, told why on standard error. */
void user_read(struct user *user);
void user_write(struct user *user);
/* Its next message, whole, or NULL. */
struct request *user_next(struct user *user);
void user_tell(struct user *user, const char *text);
/* The same, and it may be dropped for not reading. */
void user_tell_event(struct user *user, const char *text, size_t bytes);
/* It said its last, and has heard it all. */
bool user_is_done(const struct user *user);

static inline bool user_may_begin(const struct user *user)
{
	return !user->busy && !user->gone && out_waiting(&user->out) < USER_TAKES;
}

#endif

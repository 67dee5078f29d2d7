// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user.h"

#define READ_BYTES 65536

struct user *user_new(int fd, uint64_t serial)
{
	struct user *user = calloc(1, sizeof(*user));

	if (!user) {
		close(fd);
		return NULL;
	}
	user->fd = fd;
	user->serial = serial;
	user->in.most_bytes = FRAME_BYTES;
	return user;
}

void user_free(struct user *user)
{
	while (user->first) {
		struct request *request = user->first;

		user->first = request->next;
		request_free(request);
	}
	close(user->fd);
	frame_free(&user->in);
	out_free(&user->out);
	fds_close(&user->fds);
	free(user);
}

static void drop(struct user *user, const char *why)
{
	fprintf(stderr, "vmfastmig: client %llu is dropped: %s\n",
		(unsigned long long)user->serial, why);
	user->gone = true;
}

short user_events(const struct user *user)
{
	short events = out_waiting(&user->out) ? POLLOUT : 0;

	if (!user->eof && user->waiting < USER_REQUESTS && user->oobs < USER_REQUESTS &&
	    out_waiting(&user->out) < USER_TAKES)
		events |= POLLIN;
	return events;
}

void user_read(struct user *user)
{
	size_t bytes;
	char *to = frame_room(&user->in, &bytes);
	ssize_t got;

	if (!to) {
		drop(user, "a message of more than 16 MiB");
		return;
	}
	got = fds_receive(user->fd, to, bytes < READ_BYTES ? bytes : READ_BYTES, &user->fds);
	if (got > 0)
		user->in.used += got;
	else if (!got)
		user->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		user->gone = true;
}

void user_write(struct user *user)
{
	if (out_flush(&user->out, user->fd))
		user->gone = true;
}

static bool takes_fds(const struct request *request)
{
	return request->command && (!strcmp(request->command, "getfd") ||
				    !strcmp(request->command, "add-fd"));
}

struct request *user_next(struct user *user)
{
	struct request *request;
	const char *bad;
	char *text;

	if (user->gone || user->waiting >= USER_REQUESTS)
		return NULL;
	text = frame_next(&user->in, &bad);
	if (bad)
		drop(user, bad);
	if (!text)
		return NULL;
	request = request_parse(text, user->oob);
	if (!request) {
		drop(user, "no memory");
		return NULL;
	}
	request->user = user->serial;
	if (takes_fds(request))
		fds_move(&user->fds, &request->fds);
	return request;
}

void user_tell(struct user *user, const char *text)
{
	if (user->gone)
		return;
	if (!text || out_add(&user->out, text, strlen(text)))
		drop(user, "no memory");
	else
		user_write(user);
}

void user_tell_event(struct user *user, const char *text, size_t bytes)
{
	if (!user->negotiated || user->gone)
		return;
	if (out_waiting(&user->out) > USER_BYTES)
		drop(user, "it does not read");
	else if (out_add(&user->out, text, bytes))
		drop(user, "no memory");
	else
		user_write(user);
}

bool user_is_done(const struct user *user)
{
	return user->gone || (user->eof && !user->busy && !user->first && !user->oobs &&
			      !out_waiting(&user->out));
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's UNIX socket, from the side of the command: JSON objects on lines. */
#ifndef CLIENT_H
#define CLIENT_H

#include <jansson.h>

#include "fault.h"
#include "linebuf.h"

struct client {
	int fd;
	struct linebuf lines;
};

int client_open(struct client *client, const char *path, struct fault *fault);
void client_close(struct client *client);

/* Takes over @request. */
int client_send(struct client *client, json_t *request, struct fault *fault);

/* With descriptors, which stay the caller's, too. */
int client_send_fds(struct client *client, json_t *request, const int *fds, unsigned int count,
		    struct fault *fault);

/*
 * 1 and *message (caller's), which has an object "state" or an object "result";
 * 0 when @stop_fd (or -1) became readable; -1 when the daemon is gone or talks
 * nonsense.
 */
int client_next(struct client *client, int stop_fd, json_t **message, struct fault *fault);

/* The same without waiting: 0 when no message is there, or not all of it. */
int client_take(struct client *client, json_t **message, struct fault *fault);

/* One request with one answer: its result, caller's. NULL on failure. Takes over @request. */
json_t *client_ask(const char *path, json_t *request, struct fault *fault);

#endif

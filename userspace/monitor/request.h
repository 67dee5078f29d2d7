/* SPDX-License-Identifier: GPL-2.0-only */
/* A command on its way: from a user to QEMU or to us, or of our own to QEMU. */
#ifndef MONITOR_REQUEST_H
#define MONITOR_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "fds.h"

struct monitor;

struct request {
	struct request *next;
	uint64_t user;		/* who asked; 0: we did */
	char *text;		/* as it came */
	json_t *object;
	char *id;		/* the asker's, JSON; NULL: none */
	const char *command;	/* of object; NULL: it is no request */
	const char *wrong;	/* what is wrong with it, or NULL */
	char why[128];		/* where wrong may be */
	bool oob;
	/* Not NULL: it is answered as human-monitor-command is, with that where all is well. */
	const char *hmp;
	struct fds fds;
	unsigned int number;	/* by which QEMU knows it */
	/* Gets QEMU's answer instead of the user. */
	void (*answered)(struct monitor *monitor, json_t *answer);
};

/* Takes over @text; NULL: no memory. @oob: such commands are taken. */
struct request *request_parse(char *text, bool oob);
/* One of ours; @arguments, or NULL, stay the caller's. */
struct request *request_new(const char *command, const json_t *arguments,
			    void (*answered)(struct monitor *monitor, json_t *answer));
void request_free(struct request *request);

static inline json_t *request_argument(const struct request *request, const char *key)
{
	return json_object_get(json_object_get(request->object, "arguments"), key);
}

#endif

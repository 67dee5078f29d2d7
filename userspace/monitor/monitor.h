/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A QMP socket in front of a QEMU's own, for any number of users. What they say goes to
 * QEMU, what QEMU answers goes back to the one that asked, and what it tells to all; but
 * migrations to and from rdmafast: are the daemon's, which is told of, as if QEMU did
 * them. One thread, one loop; nothing in it waits for anything but poll().
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include <jansson.h>

#include "fault.h"
#include "incoming.h"
#include "migration.h"
#include "request.h"
#include "upstream.h"
#include "user.h"

#define MONITOR_USERS	64

struct monitor {
	struct upstream qemu;
	struct user *users;
	unsigned int count;
	uint64_t last_serial;
	char *greeting;
	int listen_fd;
	char path[108];			/* ours */
	const char *daemon;		/* its socket */
	struct migration migration;
	struct incoming incoming;
};

/* monitor.c. The loop: up to the end of QEMU (0), or until @stop_fd is readable (0). */
int monitor_open(struct monitor *monitor, const char *qmp, const char *path, const char *daemon,
		 struct fault *fault);
/* A user that waits for us at @path, as for a QEMU whose chardev is a client. */
int monitor_connect(struct monitor *monitor, const char *path, struct fault *fault);
int monitor_run(struct monitor *monitor, int stop_fd);
void monitor_close(struct monitor *monitor);

/* command.c. What a user said. */
void monitor_hear(struct monitor *monitor, struct user *user);
void monitor_hear_all(struct monitor *monitor);
/* To QEMU. Takes over @request. */
void monitor_pass(struct monitor *monitor, struct request *request);

/* heed.c. What QEMU said. -1: it makes no sense. */
int monitor_heed(struct monitor *monitor, const char *text);

/* answer.c. Each ends the request; takes over it and the value. */
void monitor_answer(struct monitor *monitor, struct request *request, const char *text);
void monitor_return(struct monitor *monitor, struct request *request, json_t *value);
void monitor_refuse(struct monitor *monitor, struct request *request, const char *class,
		    const char *desc);
/* An event of ours, to all users but the daemon. Takes over @data. */
void monitor_event(struct monitor *monitor, const char *name, json_t *data);

#define GENERIC		"GenericError"
#define IN_PROGRESS	"There's a migration process in progress"

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A QEMU that is registered with the daemon, to wait for its guest. */
#ifndef MONITOR_INCOMING_H
#define MONITOR_INCOMING_H

#include "client.h"

struct monitor;
struct request;

struct incoming {
	struct request *asker;	/* NULL: none is under way */
	struct client daemon;
};

/* Takes over @request, answers it in time. */
void incoming_begin(struct monitor *monitor, struct request *request);
int incoming_fd(const struct incoming *incoming);
void incoming_on_daemon(struct monitor *monitor);
void incoming_free(struct incoming *incoming);

#endif

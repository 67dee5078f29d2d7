/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One TCP client. While an answer is on its way to it nothing more is read from it:
 * what it has to hold does not grow.
 */
#ifndef RESPONDER_CONNECTION_H
#define RESPONDER_CONNECTION_H

#include "intake.h"

struct connection {
	int fd;			/* non-blocking */
	bool ended;		/* it asks no more */
	struct intake intake;
	size_t sent, filled;	/* of @out; both 0 when there is nothing to send */
	char out[ANSWER_BYTES];
};

/* Takes @fd in any case. NULL without memory. */
struct connection *connection_open(int fd);
void connection_close(struct connection *c);

/* What to poll for, and whether there is something to do without it. */
short connection_events(const struct connection *c);
bool connection_busy(const struct connection *c);

/* One line at most, so that others have their turn. -1: it is over. */
int connection_serve(struct connection *c, const struct answers *answers, short events);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Two daemons' connection over TCP on one machine, each side in its thread. */
#ifndef MEETING_H
#define MEETING_H

#include "chan.h"

struct meeting {
	const char *host;		/* NULL: 127.0.0.1 */
	const struct creds *client_creds, *server_creds;
	struct chan client, server;
	int client_err, server_err;
	struct fault client_fault, server_fault;
};

/* Connects and accepts; both have ended when it returns. */
void meet(struct meeting *meeting);
/* The same; where they do not come together the test is over. */
void meeting_must(struct meeting *meeting);
void part(struct meeting *meeting);

/* {"x": text}, of @bytes altogether */
json_t *meeting_message(size_t bytes);
/* One of that size goes from one to the other. */
void meeting_pass(struct chan *from, struct chan *to, size_t bytes);
/* Of many sizes, both ways. */
void meeting_pass_all(struct meeting *meeting);

/* A listening socket on @host, any port. -1: there is no such address here. */
int meeting_listen(const char *host, uint16_t *port);
/* A connected TCP socket that knows nothing of chan, and a plain chan to it. */
int meeting_raw(struct chan *chan);

/* A key and a user, in a key file of the test's. */
void meeting_psk(struct creds *creds, const char *user, const char *key);

#define MEETING_KEY "8f1c0a5b77e94d2e8f1c0a5b77e94d2e"

#endif

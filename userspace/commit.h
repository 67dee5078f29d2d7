/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The commit, as the source says it. From then on the guest is the
 * destination's; what became of it there is asked for until there is an answer.
 */
#ifndef COMMIT_H
#define COMMIT_H

#include <stdint.h>

#include "chan.h"
#include "fault.h"

enum commit_outcome {
	COMMIT_RAN,		/* the guest runs there, or is paused there as was wanted */
	COMMIT_NEVER,		/* it did not run there and will not: it is ours again */
	COMMIT_UNKNOWN,		/* it cannot tell either */
	COMMIT_SILENT,		/* no answer */
};

/* The destination's daemon, and what it calls the guest by. */
struct commit_peer {
	const char *host;
	uint16_t port;
	const char *ticket;
	const char *boot_id;
	/*
	 * Told that the guest ran, before the destination is thanked: it forgets the guest
	 * then, and would answer whoever says the commit again that it never ran.
	 */
	void (*settled)(void *arg);
	void *arg;
};

/* Waits for the answer on the control connection. The fault says why it did not run. */
enum commit_outcome commit_answer(const struct commit_peer *peer, struct chan *control,
				  int timeout_ms, struct fault *fault);

/*
 * Says it again on a new connection, until there is an answer, up to @timeout_ms or until
 * @stop_fd (-1: none) is readable: to a daemon that was restarted, or was away.
 */
enum commit_outcome commit_again(const struct commit_peer *peer, int timeout_ms, int stop_fd,
				 struct fault *fault);

#endif

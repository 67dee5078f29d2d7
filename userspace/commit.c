// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <string.h>

#include "clock.h"
#include "commit.h"
#include "daemon.h"

#define ANSWER_MS	40000
#define RETRY_MS	500

enum commit_outcome commit_answer(const struct commit_peer *peer, struct chan *control,
				  int timeout_ms, struct fault *fault)
{
	enum commit_outcome outcome = COMMIT_UNKNOWN;
	struct fault ignored;
	json_t *answer, *error;

	if (chan_receive(control, timeout_ms, &answer, fault))
		return COMMIT_SILENT;
	error = json_object_get(answer, "error");
	if (json_object_get(answer, "resumed")) {
		outcome = COMMIT_RAN;
		peer->settled(peer->arg);
		chan_send(control, json_pack("{s:b}", "thanks", 1), &ignored);
	} else {
		fail(fault, "destination: %s", error && json_is_string(error) ?
		     json_string_value(error) : "answers out of turn");
		if (json_is_false(json_object_get(answer, "ran")))
			outcome = COMMIT_NEVER;
	}
	json_decref(answer);
	return outcome;
}

static enum commit_outcome ask(const struct commit_peer *peer, struct fault *fault)
{
	enum commit_outcome outcome = COMMIT_SILENT;
	struct chan chan;

	if (chan_connect(&chan, peer->host, peer->port, &config.creds, fault))
		return COMMIT_SILENT;
	if (!chan_send(&chan, json_pack("{s:i,s:s,s:s,s:s}", "protocol", PROTOCOL_VERSION,
					"purpose", "commit", "ticket", peer->ticket, "boot_id",
					peer->boot_id), fault))
		outcome = commit_answer(peer, &chan, ANSWER_MS, fault);
	chan_close(&chan);
	return outcome;
}

enum commit_outcome commit_again(const struct commit_peer *peer, int timeout_ms, int stop_fd,
				 struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + timeout_ms;
	struct pollfd stop = { .fd = stop_fd, .events = POLLIN };
	enum commit_outcome outcome;

	do {
		outcome = ask(peer, fault);
	} while (outcome == COMMIT_SILENT && clock_ms() < deadline_ms &&
		 poll(&stop, 1, RETRY_MS) == 0);
	return outcome;
}

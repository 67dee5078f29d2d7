// SPDX-License-Identifier: GPL-2.0-only
/* The destination's daemon, as the source hears it on the control connection. */
#include "source.h"

int source_call_peer(struct source *source, struct fault *fault)
{
	json_t *hello;

	if (chan_connect(&source->control, source->uri->host, source->uri->port, &config.creds,
			 fault))
		return -1;
	source->watch.peer_fd = source->control.fd;
	if (chan_send(&source->control, json_pack("{s:i,s:s}", "protocol", PROTOCOL_VERSION,
						  "purpose", "control"), fault) ||
	    chan_receive(&source->control, SOURCE_ANSWER_MS, &hello, fault))
		return -1;
	if (json_integer_value(json_object_get(hello, "protocol")) != PROTOCOL_VERSION) {
		json_decref(hello);
		return fail(fault, "vmfastmigd at %s speaks another protocol version; install the same version on both hosts",
			    source->control.peer);
	}
	json_decref(hello);
	return 0;
}

void source_leave_peer(struct source *source)
{
	chan_close(&source->control);
	source->control.fd = -1;
	source->watch.peer_fd = -1;
}

int source_expect(struct source *source, const char *key, int timeout_ms, struct fault *fault)
{
	json_t *answer, *error;
	int err = 0;

	if (chan_receive(&source->control, timeout_ms, &answer, fault))
		return -1;
	error = json_object_get(answer, "error");
	if (error)
		err = fail(fault, "destination: %s", json_string_value(error) ?: "?");
	else if (!json_object_get(answer, key))
		err = fail(fault, "%s answers out of turn", source->control.peer);
	json_decref(answer);
	return err;
}

int source_why(struct source *source, struct fault *fault)
{
	if (job_cancelled(source->job))
		return fail(fault, "cancelled");
	if (chan_readable(&source->control, 0) && !source_expect(source, "nothing", 1000, fault))
		fail(fault, "%s answers out of turn", source->control.peer);
	return -1;
}

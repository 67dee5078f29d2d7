// SPDX-License-Identifier: GPL-2.0-only
#include "monitor.h"

static void end(struct monitor *monitor, const char *error)
{
	struct request *asker = monitor->incoming.asker;

	monitor->incoming.asker = NULL;
	client_close(&monitor->incoming.daemon);
	if (error)
		monitor_refuse(monitor, asker, GENERIC, error);
	else
		monitor_return(monitor, asker, json_object());
}

void incoming_begin(struct monitor *monitor, struct request *request)
{
	struct incoming *incoming = &monitor->incoming;
	struct fault fault;

	if (incoming->asker || migration_runs(&monitor->migration)) {
		monitor_refuse(monitor, request, GENERIC, IN_PROGRESS);
		return;
	}
	migration_forget(&monitor->migration);
	incoming->asker = request;
	if (client_open(&incoming->daemon, monitor->daemon, &fault) ||
	    client_send(&incoming->daemon, json_pack("{s:s,s:s,s:O,s:b}", "command", "incoming",
						     "qmp", monitor->path, "uri",
						     request_argument(request, "uri"), "detach", 1),
			&fault))
		end(monitor, fault.text);
}

int incoming_fd(const struct incoming *incoming)
{
	return incoming->asker ? incoming->daemon.fd : -1;
}

void incoming_on_daemon(struct monitor *monitor)
{
	json_t *message = NULL, *result;
	struct fault fault;
	int got = client_take(&monitor->incoming.daemon, &message, &fault);

	if (got < 0) {
		end(monitor, fault.text);
	} else if (got) {
		result = json_object_get(message, "result");
		if (result)
			end(monitor, json_is_true(json_object_get(result, "started")) ? NULL :
			    json_string_value(json_object_get(result, "error")) ?:
			    "vmfastmigd refuses, and does not say why");
		json_decref(message);
	}
}

void incoming_free(struct incoming *incoming)
{
	if (!incoming->asker)
		return;
	client_close(&incoming->daemon);
	request_free(incoming->asker);
	incoming->asker = NULL;
}

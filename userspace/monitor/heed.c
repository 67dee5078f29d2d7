// SPDX-License-Identifier: GPL-2.0-only
/* What QEMU says: answers to the one that asked, events to all. */
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "monitor.h"

/* In the course of our migration QEMU's own is the daemon's alone. */
static void pass_event(struct monitor *monitor, const char *text, bool inner)
{
	size_t bytes = strlen(text);
	struct user *user;

	for (user = monitor->users; user; user = user->next)
		if (user->inner || !inner)
			user_tell_event(user, text, bytes);
}

static void on_event(struct monitor *monitor, const char *text, const struct member *name)
{
	bool inner = name->value_bytes > 10 && !strncmp(name->value, "\"MIGRATION", 10) &&
		     migration_runs(&monitor->migration);

	pass_event(monitor, text, inner);
	if (inner)
		migration_on_event(monitor, text);
}

/* An answer without our number is to something that QEMU could not read. */
static int on_answer(struct monitor *monitor, const char *text)
{
	struct member id;
	struct request *request;
	json_t *answer;

	if (!message_find(text, "id", &id))
		return -1;
	request = upstream_answered(&monitor->qemu, strtoul(id.value, NULL, 10));
	if (!request)
		return -1;
	if (!request->answered) {
		monitor_answer(monitor, request, text);
		return 0;
	}
	answer = json_loads(text, 0, NULL);
	request->answered(monitor, answer);
	json_decref(answer);
	request_free(request);
	return 0;
}

int monitor_heed(struct monitor *monitor, const char *text)
{
	struct member name;

	if (*text != '{')
		return -1;
	if (message_find(text, "event", &name))
		on_event(monitor, text, &name);
	else
		return on_answer(monitor, text);
	return 0;
}

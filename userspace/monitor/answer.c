// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "message.h"
#include "monitor.h"

static struct user *find(const struct monitor *monitor, uint64_t serial)
{
	struct user *user = monitor->users;

	while (user && user->serial != serial)
		user = user->next;
	return user;
}

void monitor_answer(struct monitor *monitor, struct request *request, const char *text)
{
	struct user *user = find(monitor, request->user);
	char *own = user && text ? message_with_id(text, request->id) : NULL;

	if (user && request->oob)
		user->oobs--;
	else if (user)
		user->busy = false;
	if (user)
		user_tell(user, own);
	free(own);
	request_free(request);
}

static void answer_own(struct monitor *monitor, struct request *request, char *text)
{
	monitor_answer(monitor, request, text);
	free(text);
}

void monitor_return(struct monitor *monitor, struct request *request, json_t *value)
{
	if (request->hmp && !json_is_string(value)) {
		json_decref(value);
		value = json_string(request->hmp);
	}
	answer_own(monitor, request, message_return(value));
}

void monitor_refuse(struct monitor *monitor, struct request *request, const char *class,
		    const char *desc)
{
	if (request->hmp)
		monitor_return(monitor, request, json_sprintf("Error: %s\r\n", desc));
	else
		answer_own(monitor, request, message_error(class, desc));
}

void monitor_event(struct monitor *monitor, const char *name, json_t *data)
{
	struct user *user;
	struct timespec now;
	json_t *event;
	char *text;

	clock_gettime(CLOCK_REALTIME, &now);
	event = json_pack("{s:{s:I,s:I},s:s,s:o}", "timestamp", "seconds", (json_int_t)now.tv_sec,
			  "microseconds", (json_int_t)now.tv_nsec / 1000, "event", name, "data",
			  data);
	text = event ? json_dumps(event, 0) : NULL;
	for (user = monitor->users; text && user; user = user->next)
		if (!user->inner)
			user_tell_event(user, text, strlen(text));
	free(text);
	json_decref(event);
}

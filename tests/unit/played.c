// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "played.h"

static void count(int *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

/* The answer's body, with the key before it. */
static void obey(struct played *played, const char *command, char *answer, size_t bytes)
{
	snprintf(answer, bytes, "\"return\":{}");
	if (!strcmp(command, "query-status")) {
		snprintf(answer, bytes, "\"return\":{\"status\":\"%s\"}", played->status);
	} else if (!strcmp(command, "query-migrate")) {
		snprintf(answer, bytes, "\"return\":{\"status\":\"%s\"}", played->migration);
	} else if (!strcmp(command, "migrate_cancel")) {
		count(&played->cancels);
		if (strcmp(played->migration, "completed"))
			played->migration = "cancelled";
	} else if (!strcmp(command, "quit")) {
		count(&played->quits);
	} else if (!strncmp(command, "migrate-set-", 12)) {
		count(&played->settings);
	} else if (!strcmp(command, "cont")) {
		count(&played->conts);
		if (played->refuses_cont)
			snprintf(answer, bytes, "\"error\":{\"desc\":\"lock held\"}");
		else
			strcpy(played->status, "running");
	}
}

static void play(int fd, void *arg)
{
	struct played *played = arg;
	char answer[128], line[256];
	json_t *request;

	count(&played->connected);
	script_greet(fd);
	while ((request = script_hear(fd))) {
		obey(played, json_string_value(json_object_get(request, "execute")), answer,
		     sizeof(answer));
		snprintf(line, sizeof(line), "{\"id\":%d,%s}\r\n",
			 (int)json_integer_value(json_object_get(request, "id")), answer);
		json_decref(request);
		script_say(fd, line);
	}
}

void played_start(struct played *played, const char *path, const char *status)
{
	memset(played, 0, sizeof(*played));
	snprintf(played->status, sizeof(played->status), "%s", status);
	played->migration = "completed";
	script_start_each(&played->script, path, play, played);
}

void played_end(struct played *played)
{
	script_end(&played->script);
}

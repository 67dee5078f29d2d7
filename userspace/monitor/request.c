// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "request.h"

/* QEMU's numbers go beyond those of jansson; theirs are not looked at here. */
#define FORM	(JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL)

/* The id as it is written. A key with an escape in it may hide another id. */
static const char *read_members(struct request *request)
{
	struct member member = { 0 };

	while (message_next(request->text, &member)) {
		if (memchr(member.key, '\\', member.key_bytes))
			return "QMP input member is unexpected";
		if (member.key_bytes == 2 && !memcmp(member.key, "id", 2))
			request->id = strndup(member.value, member.value_bytes);
	}
	return NULL;
}

static void judge(struct request *request, bool oob)
{
	json_error_t error;

	request->object = json_loads(request->text, FORM, &error);
	if (!request->object) {
		snprintf(request->why, sizeof(request->why), "JSON parse error, %.100s",
			 error.text);
		request->wrong = request->why;
		return;
	}
	if (json_is_object(request->object))
		request->wrong = read_members(request);
	if (!request->wrong)
		request->wrong = message_wrong(request->object, oob, request->why,
					       sizeof(request->why));
	if (request->wrong)
		return;
	request->command = json_string_value(json_object_get(request->object, "exec-oob"));
	request->oob = request->command;
	if (!request->oob)
		request->command = json_string_value(json_object_get(request->object, "execute"));
}

struct request *request_parse(char *text, bool oob)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request) {
		free(text);
		return NULL;
	}
	request->text = text;
	judge(request, oob);
	return request;
}

struct request *request_new(const char *command, const json_t *arguments,
			    void (*answered)(struct monitor *monitor, json_t *answer))
{
	json_t *object = json_pack("{s:s,s:O*}", "execute", command, "arguments", arguments);
	char *text = object ? json_dumps(object, 0) : NULL;
	struct request *request;

	json_decref(object);
	if (!text)
		return NULL;
	request = request_parse(text, false);
	if (request)
		request->answered = answered;
	return request;
}

void request_free(struct request *request)
{
	if (!request)
		return;
	free(request->text);
	free(request->id);
	json_decref(request->object);
	fds_close(&request->fds);
	free(request);
}

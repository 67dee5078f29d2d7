// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "cmd.h"

static int parse_id(const char *text, json_int_t *id, struct fault *fault)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || *end || end == text || value < 1 || value > INT_MAX)
		return fail(fault, "%s is not the id of a migration; see: vmfastmig status", text);
	*id = value;
	return 0;
}

/* The exit status. */
static int pick_only(const struct cmd_args *args, json_int_t *id, struct fault *fault)
{
	json_t *result = client_ask(args->socket, json_pack("{s:s}", "command", "status"), fault);
	json_t *migrations = json_object_get(result, "migrations");
	size_t count = json_array_size(migrations);
	int status = CMD_FAILED;

	if (count == 1) {
		*id = int_of(json_array_get(migrations, 0), "id");
		status = CMD_OK;
	} else if (count) {
		fail(fault, "there are %zu migrations: which one? %s ID; see: vmfastmig status",
		     count, args->command);
		status = CMD_USAGE;
	} else if (result) {
		fail(fault, "no migration is under way, no guest is awaited");
	}
	json_decref(result);
	return status;
}

int cmd_pick(const struct cmd_args *args, json_int_t *id)
{
	struct fault fault;
	int status;

	if (args->count)
		status = parse_id(args->rest[0], id, &fault) ? CMD_USAGE : CMD_OK;
	else
		status = pick_only(args, id, &fault);
	if (status)
		cmd_say_error(args, fault.text);
	return status;
}

// SPDX-License-Identifier: GPL-2.0-only
/* watch and cancel: what is done with a migration under way. */
#include <string.h>

#include "cmd.h"

/* Cancelled is what was asked for, and so is any other end at which it did not move. */
static int tell_cancelled(const struct cmd_args *args, const json_t *result)
{
	const char *guest = text_of(result, "guest");

	cmd_put_json(args, result);
	if (json_is_true(json_object_get(result, "completed"))) {
		cmd_say(stderr, "vmfastmig: too late: the migration completed");
		return CMD_FAILED;
	}
	if (strcmp(text_of(result, "error"), "cancelled")) {
		cmd_say(stderr, "vmfastmig: %s", text_of(result, "error"));
		return CMD_FAILED;
	}
	if (!args->json)
		cmd_say(stdout, "cancelled%s%s", *guest ? "; the guest here is " : "", guest);
	return CMD_OK;
}

static int run(int argc, char **argv, bool cancel)
{
	struct cmd_args args;
	struct fault fault;
	json_t *result;
	json_int_t id;
	int status = cmd_args_parse(&args, argc, argv, CMD_TAKE_SOCKET | CMD_TAKE_ID |
				    CMD_TAKE_JSON_FILE);

	if (!status)
		status = cmd_pick(&args, &id);
	if (!status) {
		result = cmd_follow(&args, json_pack("{s:s,s:I}", "command", args.command, "id", id),
				    0, &fault);
		status = result && cancel ? tell_cancelled(&args, result) :
			 cmd_result(&args, result, &fault);
		json_decref(result);
	}
	cmd_args_free(&args);
	return status;
}

int cmd_watch(int argc, char **argv)
{
	return run(argc, argv, false);
}

int cmd_cancel(int argc, char **argv)
{
	return run(argc, argv, true);
}

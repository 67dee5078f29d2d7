// SPDX-License-Identifier: GPL-2.0-only
/* Other limits for a migration under way. */
#include "client.h"
#include "cmd.h"

static int tell(const struct cmd_args *args, const json_t *result, const struct fault *fault)
{
	const char *error = result ? text_of(result, "error") : fault->text;

	if (!result || *error) {
		cmd_say_error(args, error);
		return CMD_FAILED;
	}
	return cmd_put_json(args, result) ? CMD_FAILED : CMD_OK;
}

int cmd_set(int argc, char **argv)
{
	struct cmd_args args;
	struct fault fault;
	json_t *result;
	json_int_t id;
	int status = cmd_args_parse(&args, argc, argv, CMD_TAKE_SOCKET | CMD_TAKE_ID |
				    CMD_TAKE_OPTIONS | CMD_TAKE_JSON_FILE);

	if (!status)
		status = cmd_pick(&args, &id);
	if (!status) {
		result = client_ask(args.socket, json_pack("{s:s,s:I,s:O}", "command", "set", "id", id,
							   "options", args.options), &fault);
		status = tell(&args, result, &fault);
		json_decref(result);
	}
	cmd_args_free(&args);
	return status;
}

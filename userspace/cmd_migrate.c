// SPDX-License-Identifier: GPL-2.0-only
/* migrate and incoming: the two sides of a migration. */
#include "cmd.h"

static int run(int argc, char **argv, unsigned int take)
{
	struct cmd_args args;
	struct fault fault;
	json_t *result;
	int status = cmd_args_parse(&args, argc, argv, take | CMD_TAKE_SOCKET | CMD_TAKE_QMP |
				    CMD_TAKE_DETACH | CMD_TAKE_JSON_FILE);

	if (!status) {
		result = cmd_follow(&args, cmd_args_request(&args), args.detach ?
				    CMD_FOLLOW_QUIET : CMD_FOLLOW_CANCELS, &fault);
		status = cmd_result(&args, result, &fault);
		json_decref(result);
	}
	cmd_args_free(&args);
	return status;
}

int cmd_migrate(int argc, char **argv)
{
	return run(argc, argv, CMD_TAKE_OPTIONS);
}

int cmd_incoming(int argc, char **argv)
{
	return run(argc, argv, 0);
}

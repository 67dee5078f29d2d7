// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "client.h"
#include "cmd.h"

#define ROW "%-4s %-11s %-20s %-14s %s"

static void tell_row(const json_t *state)
{
	char id[24], progress[80];
	const char *guest = text_of(state, "guest");

	snprintf(id, sizeof(id), "%lld", (long long)int_of(state, "id"));
	progress_text(state, progress, sizeof(progress));
	cmd_say(stdout, ROW, id, text_of(state, "role"), *guest ? guest : "-",
		text_of(state, "phase"), *progress ? progress : "-");
}

static void tell_table(const json_t *migrations)
{
	json_t *state;
	size_t i;

	if (!json_array_size(migrations)) {
		cmd_say(stdout, "no migration is under way, no guest is awaited");
		return;
	}
	cmd_say(stdout, ROW, "ID", "ROLE", "GUEST", "PHASE", "PROGRESS");
	json_array_foreach(migrations, i, state)
		if (json_is_object(state))
			tell_row(state);
}

int cmd_status(int argc, char **argv)
{
	struct cmd_args args;
	struct fault fault;
	json_t *result, *migrations;
	int status = cmd_args_parse(&args, argc, argv, CMD_TAKE_SOCKET);

	if (!status) {
		result = client_ask(args.socket, json_pack("{s:s}", "command", "status"), &fault);
		migrations = json_object_get(result, "migrations");
		if (result && !json_is_array(migrations))
			fail(&fault, "vmfastmigd does not tell its migrations: %s",
			     text_of(result, "error"));
		if (!json_is_array(migrations)) {
			cmd_say_error(&args, fault.text);
			status = CMD_FAILED;
		} else {
			cmd_put_json(&args, result);
			if (!args.json)
				tell_table(migrations);
		}
		json_decref(result);
	}
	cmd_args_free(&args);
	return status;
}

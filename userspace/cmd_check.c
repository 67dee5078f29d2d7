// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "cmd.h"

static bool tell_one(const json_t *check)
{
	bool ok = json_is_true(json_object_get(check, "ok"));
	const char *remedy = text_of(check, "remedy");

	cmd_say(stdout, "%-4s  %-10s  %s", ok ? "ok" : "FAIL", text_of(check, "check"),
		text_of(check, "detail"));
	if (!ok && *remedy)
		cmd_say(stdout, "%-4s  %-10s  -> %s", "", "", remedy);
	return ok;
}

/* What kept the checks from being made is told as one more that failed. */
static void add_error(json_t *result, json_t *checks)
{
	const char *error = text_of(result, "error"), *phase = text_of(result, "phase");
	json_t *check;
	size_t i;

	json_array_foreach(checks, i, check) {
		const char *detail = text_of(check, "detail");

		if (!json_is_true(json_object_get(check, "ok")) &&
		    !strncmp(error, detail, strlen(detail)))
			return;	/* the daemon repeats the first failed check */
	}
	if (*error)
		json_array_append_new(checks, json_pack("{s:s,s:b,s:s,s:s}", "check",
			*phase ? phase : "request", "ok", 0, "detail", error, "remedy", ""));
}

static int tell(const struct cmd_args *args, json_t *result)
{
	json_t *checks = json_object_get(result, "checks"), *check;
	size_t i, failed = 0;
	bool ok = json_is_true(json_object_get(result, "ok"));

	if (!json_is_array(checks)) {
		checks = json_array();
		json_object_set_new(result, "checks", checks);
	}
	add_error(result, checks);
	json_object_set_new(result, "ok", json_boolean(ok));
	json_object_del(result, "completed");
	cmd_put_json(args, result);
	if (args->json)
		return ok ? CMD_OK : CMD_FAILED;
	json_array_foreach(checks, i, check)
		failed += !tell_one(check);
	if (ok)
		cmd_say(stdout, "all %zu checks passed: the guest can be migrated", i);
	else
		cmd_say(stdout, "%zu of %zu checks failed: the guest cannot be migrated", failed, i);
	return ok ? CMD_OK : CMD_FAILED;
}

int cmd_check(int argc, char **argv)
{
	struct cmd_args args;
	struct fault fault;
	json_t *result;
	int status = cmd_args_parse(&args, argc, argv, CMD_TAKE_SOCKET | CMD_TAKE_QMP |
				    CMD_TAKE_OPTIONS | CMD_TAKE_JSON_FILE);

	if (!status) {
		result = cmd_follow(&args, cmd_args_request(&args), CMD_FOLLOW_QUIET, &fault);
		if (result)
			status = tell(&args, result);
		else
			status = cmd_result(&args, NULL, &fault);
		json_decref(result);
	}
	cmd_args_free(&args);
	return status;
}

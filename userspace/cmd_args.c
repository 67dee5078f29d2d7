// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "daemon.h"
#include "uri.h"

static const struct option flags[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "socket", required_argument, NULL, 's' },
	{ "qmp", required_argument, NULL, 'q' },
	{ "listen", required_argument, NULL, 'l' },
	{ "connect", required_argument, NULL, 'c' },
	{ "desturi", required_argument, NULL, 'u' },
	{ "detach", no_argument, NULL, 'd' },
	{ "json-file", required_argument, NULL, 'f' },
	{ "downtime", required_argument, NULL, 'o' },
	{ "bandwidth", required_argument, NULL, 'o' },
	{ "rounds", required_argument, NULL, 'o' },
	{ "timeout", required_argument, NULL, 'o' },
	{ "max-slowdown", required_argument, NULL, 'o' },
	{ "force", no_argument, NULL, 'o' },
	{ "paused", no_argument, NULL, 'o' },
	{ "send-zeros", no_argument, NULL, 'o' },
	{ NULL, 0, NULL, 0 },
};

static bool is_taken(int flag, unsigned int take)
{
	switch (flag) {
	case 's':
		return take & CMD_TAKE_SOCKET;
	case 'q':
		return take & (CMD_TAKE_QMP | CMD_TAKE_LISTEN);
	case 'l':
	case 'c':
		return take & CMD_TAKE_LISTEN;
	case 'u':
		return take & CMD_TAKE_VIRSH;
	case 'd':
		return take & CMD_TAKE_DETACH;
	case 'f':
		return take & CMD_TAKE_JSON_FILE;
	case 'o':
		return take & CMD_TAKE_OPTIONS;
	default:
		return true;
	}
}

/* The daemon has another working directory. What is not there is for the daemon to tell. */
static int set_qmp(struct cmd_args *args, const char *path, struct fault *fault)
{
	if (realpath(path, args->qmp))
		return 0;
	if (*path != '/' || strlen(path) >= sizeof(args->qmp))
		return fail(fault, "--qmp %s: %s", path, strerror(errno));
	strcpy(args->qmp, path);
	return 0;
}

static int set_option(struct cmd_args *args, const char *key, const char *value,
		      struct fault *fault)
{
	struct uri_options ignored;

	uri_options_init(&ignored);
	if (uri_option(&ignored, key, value, fault))
		return -1;
	return json_object_set_new(args->options, key, value ? json_string(value) : json_null()) ?
	       fail(fault, "--%s %s", key, value) : 0;
}

static int set_flag(struct cmd_args *args, int index, unsigned int take, struct fault *fault)
{
	const struct option *flag = &flags[index];

	if (!is_taken(flag->val, take))
		return fail(fault, "%s has no --%s", args->command, flag->name);
	switch (flag->val) {
	case 'j':
		args->json = true;
		return 0;
	case 's':
		args->socket = optarg;
		return 0;
	case 'q':
		return set_qmp(args, optarg, fault);
	case 'l':
		args->listen = optarg;
		return 0;
	case 'c':
		args->connect = optarg;
		return 0;
	case 'u':
		args->desturi = optarg;
		return 0;
	case 'd':
		args->detach = true;
		return 0;
	case 'f':
		if (args->json_file)
			fclose(args->json_file);
		args->json_file = fopen(optarg, "we");
		return args->json_file ? 0 :
		       fail(fault, "--json-file %s: %s", optarg, strerror(errno));
	default:
		return set_option(args, flag->name, optarg, fault);
	}
}

/* As JSON wants it. */
static bool is_utf8(const char *text)
{
	json_t *string = json_string(text);

	json_decref(string);
	return string;
}

static int check_domain(const struct cmd_args *args, unsigned int take, struct fault *fault)
{
	if (args->count < 1)
		return fail(fault, "which domain?");
	if (args->count < 2)
		return fail(fault, "to which host? HOST or rdmafast:HOST[:PORT][/NAME]");
	if (args->count > 2 && !(take & CMD_TAKE_VIRSH))
		return fail(fault, "what is %s?", args->rest[2]);
	return is_utf8(args->rest[0]) && is_utf8(args->rest[1]) ? 0 :
	       fail(fault, "the domain's name and the URI have to be UTF-8");
}

static int check_rest(const struct cmd_args *args, unsigned int take, struct fault *fault)
{
	int most = !!(take & (CMD_TAKE_QMP | CMD_TAKE_ID));
	struct uri uri;

	if (take & CMD_TAKE_DOMAIN)
		return check_domain(args, take, fault);
	if (args->count > most)
		return fail(fault, "what is %s?", args->rest[most]);
	if (!(take & (CMD_TAKE_QMP | CMD_TAKE_LISTEN)))
		return 0;
	if (!*args->qmp && !(take & CMD_FINDS_QMP))
		return fail(fault, "which monitor? --qmp PATH");
	if (take & CMD_TAKE_LISTEN)
		return args->listen ? 0 : fail(fault, "where is it offered? --listen PATH");
	if (!args->count)
		return fail(fault, "which URI? rdmafast:HOST[:PORT][/NAME]");
	if (uri_parse(args->rest[0], &uri, fault))
		return -1;
	return is_utf8(args->qmp) && is_utf8(args->rest[0]) && is_utf8(uri.name) ? 0 :
	       fail(fault, "the monitor's path, the URI and the guest's name have to be UTF-8");
}

int cmd_args_parse(struct cmd_args *args, int argc, char **argv, unsigned int take)
{
	static char program[] = "vmfastmig";
	struct fault fault;
	int flag, index = 0, err = 0;

	*args = (struct cmd_args){ .command = argv[0], .socket = RUN_DIR "/vmfastmigd.sock",
				   .options = json_object() };
	argv[0] = program;	/* getopt's errors begin with it */
	while (!err && (flag = getopt_long(argc, argv, "", flags, &index)) != -1) {
		if (flag == '?')
			return CMD_USAGE;
		err = set_flag(args, index, take, &fault);
	}
	args->count = argc - optind;
	args->rest = argv + optind;
	if (!err && !check_rest(args, take, &fault))
		return CMD_OK;
	cmd_say_error(args, fault.text);
	return CMD_USAGE;
}

void cmd_args_free(struct cmd_args *args)
{
	json_decref(args->options);
	if (args->json_file)
		fclose(args->json_file);
	*args = (struct cmd_args){ 0 };
}

json_t *cmd_args_request(const struct cmd_args *args)
{
	return json_pack("{s:s,s:s,s:s,s:O,s:b}", "command", args->command, "qmp", args->qmp,
			 "uri", args->rest[0], "options", args->options, "detach", args->detach);
}

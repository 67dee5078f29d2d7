// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "cmd.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *synopsis, *purpose;
} commands[] = {
	{ "migrate", cmd_migrate, "--qmp PATH [--detach] [--downtime MS] [--bandwidth BYTES] [--rounds N] [--max-slowdown PERCENT] [--force] [--paused] [--send-zeros] [--timeout S] [--json] [--json-file FILE] [--socket PATH] rdmafast:HOST[:PORT][/NAME][?OPTION=VALUE&...]",
	  "move the guest behind that monitor to another host" },
	{ "incoming", cmd_incoming, "--qmp PATH [--detach] [--json] [--json-file FILE] [--socket PATH] rdmafast:0[:PORT][/NAME]",
	  "have a QEMU started with -incoming defer wait for its guest" },
	{ "stream", cmd_stream, "[--qmp PATH] [--downtime MS] [--bandwidth BYTES] [--rounds N] [--max-slowdown PERCENT] [--force] [--paused] [--send-zeros] [--timeout S] [--socket PATH] rdmafast:HOST[:PORT][/NAME][?OPTION=VALUE&...]",
	  "move the guest whose QEMU runs this: migrate \"exec:exec vmfastmig stream rdmafast:HOST\"" },
	{ "virsh-migrate", cmd_virsh_migrate, "[--desturi URI] [--downtime MS] [--bandwidth BYTES] [--rounds N] [--max-slowdown PERCENT] [--force] [--send-zeros] [--timeout S] [--json] [--json-file FILE] [--socket PATH] DOMAIN HOST|rdmafast:HOST[:PORT][/NAME] [-- OPTION...]",
	  "have libvirt move a domain to another host; OPTIONs are of virsh migrate" },
	{ "virsh-listen", cmd_virsh_listen, "[--downtime MS] [--bandwidth BYTES] [--rounds N] [--max-slowdown PERCENT] [--force] [--send-zeros] [--timeout S] [--json] [--json-file FILE] [--socket PATH] DOMAIN HOST|rdmafast:HOST[:PORT][/NAME]",
	  "make ready for virsh migrate; tells its --migrateuri" },
	{ "status", cmd_status, "[--json] [--socket PATH]", "list migrations" },
	{ "watch", cmd_watch, "[--json] [--json-file FILE] [--socket PATH] [ID]", "follow one" },
	{ "set", cmd_set, "[--downtime MS] [--bandwidth BYTES] [--rounds N] [--max-slowdown PERCENT] [--force] [--timeout S] [--json] [--json-file FILE] [--socket PATH] [ID]",
	  "change what one is allowed, while it sends RAM" },
	{ "cancel", cmd_cancel, "[--json] [--json-file FILE] [--socket PATH] [ID]",
	  "cancel one, and wait until it is" },
	{ "check", cmd_check, "--qmp PATH [--force] [--json] [--json-file FILE] [--socket PATH] rdmafast:HOST[:PORT][/NAME][?OPTION=VALUE&...]",
	  "tell whether a migration could be done" },
	{ "probe", cmd_probe, "[--json]", "list RDMA devices and their limits" },
	{ "regions", cmd_regions, "[--json]", "list guest RAM on vmfastmig filesystems" },
	{ "downtime", cmd_downtime, "[--guest ADDR[:PORT]] [--source-qmp [HOST:]PATH] [--dest-qmp [HOST:]PATH] [--capability NAME[=BOOL]]... [--parameter NAME=VALUE]... [--rate HZ] [--tcp] [--before S] [--after S] [--timeout S] [--json] [--json-file FILE] [--csv DIR] [--plots DIR] --uri URI | --observe",
	  "measure a migration from outside, ours or not" },
	{ "compare", cmd_compare, "[--json] [--plots DIR] [LABEL=]FILE...",
	  "what several runs of downtime measured, side by side" },
	{ "monitor", cmd_monitor, "--qmp PATH --listen PATH [--connect PATH] [--socket PATH]",
	  "offer a QEMU's monitor where migrate rdmafast:HOST works" },
	{ "agent", cmd_agent, "", "what downtime starts on a host" },
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

static const struct command *find(const char *name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void usage_of(FILE *stream, const struct command *command)
{
	fprintf(stream, "usage: vmfastmig %s %s\n", command->name, command->synopsis);
}

static void usage(FILE *stream)
{
	size_t i;

	fprintf(stream, "usage: vmfastmig COMMAND [OPTION...] [OPERAND]\n\n");
	for (i = 0; i < COMMANDS; i++)
		fprintf(stream, "  %-13s %s\n", commands[i].name, commands[i].purpose);
	fprintf(stream, "  %-13s %s\n", "help", "this, or the usage of a COMMAND");
	fprintf(stream, "\nExit status: 0 done, 1 failed, 2 wrong usage. See vmfastmig(8).\n");
}

static int help(const char *name)
{
	const struct command *command = name ? find(name) : NULL;

	if (name && !command) {
		fprintf(stderr, "vmfastmig: no command %s; see: vmfastmig help\n", name);
		return CMD_USAGE;
	}
	if (command)
		usage_of(stdout, command);
	else
		usage(stdout);
	return CMD_OK;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct command *command = find(name);
	int status;

	if (!strcmp(name, "--version")) {
		printf("vmfastmig " VERSION "\n");
		return CMD_OK;
	}
	if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h"))
		return help(argc > 2 ? argv[2] : NULL);
	if (!command) {
		if (*name)
			return help(name);
		usage(stderr);
		return CMD_USAGE;
	}
	if (argc > 2 && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h")))
		return help(name);
	status = command->run(argc - 1, argv + 1);
	if (status == CMD_USAGE)
		usage_of(stderr, command);
	return status;
}

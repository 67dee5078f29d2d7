// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cmd.h"
#include "monitor/monitor.h"

static int stop_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int cmd_monitor(int argc, char **argv)
{
	struct cmd_args args;
	struct monitor monitor;
	struct fault fault;
	int status = cmd_args_parse(&args, argc, argv, CMD_TAKE_SOCKET | CMD_TAKE_LISTEN);

	if (!status) {
		int stop = stop_fd();

		if (monitor_open(&monitor, args.qmp, args.listen, args.socket, &fault) ||
		    (args.connect && monitor_connect(&monitor, args.connect, &fault))) {
			cmd_say(stderr, "vmfastmig: %s", fault.text);
			status = CMD_FAILED;
		} else {
			cmd_say(stdout, "%s stands in front of %s", monitor.path, args.qmp);
			fflush(stdout);
			status = monitor_run(&monitor, stop) ? CMD_FAILED : CMD_OK;
		}
		monitor_close(&monitor);
		close(stop);
	}
	cmd_args_free(&args);
	return status;
}

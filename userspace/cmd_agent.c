// SPDX-License-Identifier: GPL-2.0-only
/* agent: what `downtime` starts on the hosts. */
#include <signal.h>

#include "cmd.h"
#include "downtime/agent.h"

int cmd_agent(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return CMD_USAGE;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);	/* ignored by who started us its programs' ends would be lost */
	agent_serve(0, 1);
	return CMD_OK;
}

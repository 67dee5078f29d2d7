// SPDX-License-Identifier: GPL-2.0-only
/*
 * stream: a QEMU migrates into us. We are its child; standard input is its stream,
 * standard output its return path. Both go to the daemon and are closed here, and we
 * stay until we are told, to say on standard error why it failed. QEMU waits for our
 * end when it closes the pipes, so we end before it is asked anything more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "cmd.h"
#include "monitors.h"

static bool is_pipe(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

static pid_t parent_of(pid_t pid)
{
	char path[64], line[512] = "", *behind;
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	/* Its name is in parentheses, and may have some itself. */
	behind = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	if (!behind || sscanf(behind + 1, " %*c %d", &parent) != 1)
		parent = 0;
	fclose(file);
	return parent;
}

/* QEMU is our parent, or its child is a shell that is. */
static int find_monitor(char path[PATH_MAX], struct fault *fault)
{
	pid_t parent = getppid(), above = parent_of(parent);
	struct fault ignored;

	if (!monitors_find(parent, path, fault))
		return 0;
	return above > 1 && !monitors_find(above, path, &ignored) ? 0 : -1;
}

/* The daemon has them now: it alone is to hold them open. */
static void close_pipes(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
}

static json_t *wait_result(struct client *client, struct fault *fault)
{
	json_t *message, *result;

	if (client_next(client, -1, &message, fault) <= 0)
		return NULL;
	result = json_incref(json_object_get(message, "result"));
	json_decref(message);
	if (!result)
		fail(fault, "vmfastmigd answers with a state where a result is due");
	return result;
}

static json_t *run(struct cmd_args *args, struct fault *fault)
{
	static const int pipes[] = { STDIN_FILENO, STDOUT_FILENO };
	json_t *result = NULL;
	struct client client;

	if (!is_pipe(STDIN_FILENO) || !is_pipe(STDOUT_FILENO)) {
		fail(fault, "standard input and output are not QEMU's: it is QEMU that runs this, by migrate \"exec:exec vmfastmig stream rdmafast:HOST\"");
		return NULL;
	}
	if ((!*args->qmp && find_monitor(args->qmp, fault)) ||
	    client_open(&client, args->socket, fault))
		return NULL;
	if (!client_send_fds(&client, cmd_args_request(args), pipes, 2, fault)) {
		close_pipes();
		result = wait_result(&client, fault);
	}
	client_close(&client);
	return result;
}

int cmd_stream(int argc, char **argv)
{
	struct cmd_args args;
	struct fault fault;
	json_t *result;
	int status = cmd_args_parse(&args, argc, argv, CMD_TAKE_SOCKET | CMD_TAKE_QMP |
				    CMD_FINDS_QMP | CMD_TAKE_OPTIONS);

	if (!status) {
		result = run(&args, &fault);
		if (!result)
			cmd_say_error(&args, fault.text);
		else if (!json_is_true(json_object_get(result, "completed")))
			cmd_say(stderr, "vmfastmig: %s", text_of(result, "error"));
		status = json_is_true(json_object_get(result, "completed")) ? CMD_OK : CMD_FAILED;
		json_decref(result);
	}
	cmd_args_free(&args);
	return status;
}

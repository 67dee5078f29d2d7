// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define WORDS		64
#define OUTPUT_BYTES	(1 << 20)	/* twice, in JSON: still a line */
#define LEAVE_MS	2000		/* of all of them less than remote_close() waits */

static int read_words(const json_t *argv, char *words[WORDS + 1], struct fault *fault)
{
	size_t i, count = json_array_size(argv);

	if (!count || count > WORDS)
		return fail(fault, "a program has 1 to %d words", WORDS);
	for (i = 0; i < count; i++) {
		words[i] = (char *)json_string_value(json_array_get(argv, i));
		if (!words[i])
			return fail(fault, "a program's words are text");
	}
	words[count] = NULL;
	return 0;
}

static void run(struct program *program, char **words)
{
	setsid();
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	dup2(fileno(program->output), 1);
	dup2(fileno(program->errors), 2);
	close(0);
	open("/dev/null", O_RDONLY);
	close_range(3, ~0U, 0);
	execvp(words[0], words);
	dprintf(2, "%s: %s\n", words[0], strerror(errno));
	_exit(127);
}

static void forget(struct program *program)
{
	if (program->output)
		fclose(program->output);
	if (program->errors)
		fclose(program->errors);
	if (program->pidfd >= 0)
		close(program->pidfd);
	json_decref(program->id);
	*program = (struct program){ 0 };
}

int program_start(struct program *program, json_t *id, const json_t *argv, struct fault *fault)
{
	char *words[WORDS + 1];
	pid_t pid;

	if (!id)
		return fail(fault, "a program is told about by its id: none was given");
	if (read_words(argv, words, fault))
		return -1;
	*program = (struct program){ .pidfd = -1, .output = tmpfile(), .errors = tmpfile(),
				     .id = json_incref(id) };
	pid = program->output && program->errors ? fork() : -1;
	if (!pid)
		run(program, words);
	if (pid > 0)
		program->pidfd = syscall(SYS_pidfd_open, pid, 0);
	program->pid = pid;
	if (pid > 0 && program->pidfd >= 0)
		return 0;
	fail(fault, "cannot start %s: %s", words[0], strerror(errno));
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	forget(program);
	return -1;
}

void program_interrupt(struct program *program)
{
	kill(program->pid, SIGINT);
}

/* Its beginning, if it is long; as text, whatever it is. */
static json_t *content(FILE *file)
{
	char *text = malloc(OUTPUT_BYTES + 1);
	size_t i, bytes;
	json_t *string;

	if (!text)
		return json_string("(no memory)");
	rewind(file);
	bytes = fread(text, 1, OUTPUT_BYTES, file);
	for (i = 0; i < bytes; i++)
		text[i] = text[i] ? text[i] : '?';
	text[bytes] = 0;
	text_to_utf8(text);
	string = json_string(text);
	free(text);
	return string;
}

json_t *program_end(struct program *program)
{
	json_t *answer;
	int status;

	if (waitpid(program->pid, &status, WNOHANG) != program->pid)
		return NULL;
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	answer = json_pack("{s:O,s:i,s:o,s:o}", "id", program->id, "status", status, "output",
			   content(program->output), "errors", content(program->errors));
	forget(program);
	return answer;
}

void program_leave(struct program *program)
{
	struct pollfd end = { .fd = program->pidfd, .events = POLLIN };

	poll(&end, 1, LEAVE_MS);
	waitpid(program->pid, NULL, WNOHANG);
	forget(program);
}

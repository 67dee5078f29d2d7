// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "tap.h"

#define EXIT_SKIP	4
#define AT_ONCE		6	/* many tests only wait for a time-out */

struct running {
	pid_t pid;
	int output;
	int status;
};

static int failed;		/* of the running test; atomic */

bool tap_check(bool good, const char *file, int line, const char *what)
{
	if (good)
		return true;
	__atomic_store_n(&failed, 1, __ATOMIC_RELAXED);
	printf("# %s:%d: not so: %s\n", file, line, what);
	return false;
}

bool tap_check_text(const char *text, const char *expected, const char *file, int line)
{
	if (text && !strcmp(text, expected))
		return true;
	printf("# is:       %s\n# expected: %s\n", text ? text : "(none)", expected);
	return tap_check(false, file, line, "texts are equal");
}

bool tap_check_has(const char *text, const char *part, const char *file, int line)
{
	if (text && strstr(text, part))
		return true;
	printf("# is:      %s\n# lacking: %s\n", text ? text : "(none)", part);
	return tap_check(false, file, line, "text is there");
}

void tap_skip(const char *why)
{
	printf("# SKIP %s\n", why);
	fflush(NULL);
	_exit(failed ? 1 : EXIT_SKIP);
}

void tap_give_up(const char *why)
{
	printf("# gave up: %s\n", why);
	fflush(NULL);
	_exit(1);
}

static struct running start(const struct test *test)
{
	struct running running = { .output = memfd_create("output", MFD_CLOEXEC) };

	fflush(NULL);
	running.pid = fork();
	if (running.pid)
		return running;
	dup2(running.output, STDOUT_FILENO);
	dup2(running.output, STDERR_FILENO);
	alarm(TEST_SECONDS);
	test->run();
	exit(failed);	/* through the leak check */
}

/* The end of any of them. */
static void reap(struct running *running, unsigned int count)
{
	unsigned int i;
	int status;
	pid_t pid = wait(&status);

	for (i = 0; i < count; i++)
		if (running[i].pid == pid)
			running[i].status = status;
	scratch_remove(pid);
}

/* Every line of a test's own begins with #: none is taken for a verdict. */
static void tell_output(int fd, char why[256])
{
	FILE *output = fdopen(fd, "r");
	char line[1024];

	rewind(output);
	while (fgets(line, sizeof(line), output)) {
		printf("%s%s", *line == '#' ? "" : "# ", line);
		if (!strncmp(line, "# SKIP ", 7))
			snprintf(why, 256, "%.*s", (int)strcspn(line, "\n"), line);
	}
	fclose(output);
}

/* EXIT_SKIP, 0 or anything else, a failure. */
static int tell(const struct test *test, unsigned int number, struct running *running)
{
	int status = running->status, code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	char why[256] = "";

	tell_output(running->output, why);
	if (WIFSIGNALED(status))
		printf("# ended by signal %d (%s)\n", WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
	else if (code > 1 && code != EXIT_SKIP)
		printf("# exit status %d: see the sanitizer's report above\n", code);
	printf("%s %u %s%s%s\n", code && code != EXIT_SKIP ? "not ok" : "ok", number, test->name,
	       code == EXIT_SKIP ? " " : "", code == EXIT_SKIP ? why : "");
	return code;
}

int tap_run(const struct test *tests, unsigned int count)
{
	struct running *running = calloc(count, sizeof(*running));
	unsigned int i, passed = 0, skipped = 0;

	printf("TAP version 13\n1..%u\n", count);
	for (i = 0; i < count; i++) {
		if (i >= AT_ONCE)
			reap(running, i);
		running[i] = start(&tests[i]);
	}
	for (i = 0; i < AT_ONCE && i < count; i++)
		reap(running, count);
	for (i = 0; i < count; i++) {
		int code = tell(&tests[i], i + 1, &running[i]);

		passed += code == 0;
		skipped += code == EXIT_SKIP;
	}
	free(running);
	printf("# Totals: pass:%u fail:%u skip:%u\n", passed, count - passed - skipped, skipped);
	return fflush(stdout) || passed + skipped < count;
}

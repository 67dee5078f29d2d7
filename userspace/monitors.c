// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "monitors.h"
#include "sockpeer.h"

#define GREETING_MS	1000

static void add(struct monitors *monitors, const char *path)
{
	if (monitors->count < MONITORS_MAX)
		snprintf(monitors->path[monitors->count++], PATH_MAX, "%s", path);
}

static void add_chardev(struct arguments all, const char *id, struct monitors *monitors)
{
	char is[256], path[PATH_MAX];
	const char *name, *value;

	while ((name = arguments_next(&all, &value)))
		if (!strcmp(name, "chardev") && !strncmp(value, "socket,", 7) &&
		    arguments_value(value, "id", false, is, sizeof(is)) && !strcmp(is, id) &&
		    arguments_value(value, "path", false, path, sizeof(path)))
			add(monitors, path);
}

void monitors_parse(const char *arguments, size_t bytes, struct monitors *monitors)
{
	const struct arguments all = { arguments, arguments + bytes };
	struct arguments left = all;
	char word[PATH_MAX], mode[32];
	const char *name, *value;

	monitors->count = 0;
	while ((name = arguments_next(&left, &value))) {
		if (!strcmp(name, "qmp") || !strcmp(name, "qmp-pretty")) {
			if (arguments_item(&value, word, sizeof(word)) && !strncmp(word, "unix:", 5))
				add(monitors, word + 5);
		} else if (!strcmp(name, "mon") &&
			   arguments_value(value, "mode", false, mode, sizeof(mode)) &&
			   !strcmp(mode, "control") &&
			   arguments_value(value, "chardev", true, word, sizeof(word))) {
			add_chardev(all, word, monitors);
		}
	}
}

/* A path of QEMU's, as it is from here. */
static int resolve(pid_t pid, const char *path, char resolved[PATH_MAX])
{
	char from[PATH_MAX + 64];

	if (*path == '/')
		return snprintf(resolved, PATH_MAX, "%s", path) < PATH_MAX ? 0 : -1;
	snprintf(from, sizeof(from), "/proc/%d/cwd/%s", (int)pid, path);
	return realpath(from, resolved) ? 0 : -1;
}

/* That process has it, and it has no client: it greets. */
static bool greets(pid_t pid, const char *path)
{
	struct fault ignored;
	struct pollfd wait = { .fd = sockpeer_connect(path, pid, &ignored), .events = POLLIN };
	bool good = wait.fd >= 0 && poll(&wait, 1, GREETING_MS) > 0;

	if (wait.fd >= 0)
		close(wait.fd);
	return good;
}

int monitors_find(pid_t pid, char path[PATH_MAX], struct fault *fault)
{
	static struct monitors monitors;
	char *room = malloc(ARGUMENTS_BYTES);
	struct arguments arguments;
	unsigned int i;

	if (!room)
		return fail(fault, "no memory");
	arguments = arguments_read(pid, room);
	monitors_parse(arguments.at, arguments.end - arguments.at, &monitors);
	free(room);
	for (i = 0; i < monitors.count; i++)
		if (!resolve(pid, monitors.path[i], path) && greets(pid, path))
			return 0;
	return monitors.count ?
	       fail(fault, "each QMP monitor of QEMU (process %d) has a client already: give it one more, -qmp unix:PATH,server=on,wait=off, for vmfastmig",
		    (int)pid) :
	       fail(fault, "process %d has no QMP monitor on its command line: is it a QEMU? Give it -qmp unix:PATH,server=on,wait=off, or name its monitor: --qmp PATH",
		    (int)pid);
}

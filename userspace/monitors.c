// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "monitors.h"

#define ARGUMENTS_BYTES	(1 << 20)
#define GREETING_MS	1000

/* One of QEMU's lists "word,key=value,...": the next item, a comma in it being doubled. */
static bool next_item(const char **at, char *item, size_t room)
{
	size_t used = 0;

	if (!**at)
		return false;
	for (; **at && (**at != ',' || (*at)[1] == ','); ++*at) {
		if (**at == ',')
			++*at;
		if (used + 1 < room)
			item[used++] = **at;
	}
	item[used] = 0;
	if (**at)
		++*at;
	return true;
}

/* The value of @key in @options, or of the first item where that has none and @first. */
static bool value_of(const char *options, const char *key, bool first, char *value, size_t room)
{
	char item[PATH_MAX + 64];
	size_t length = strlen(key);

	while (next_item(&options, item, sizeof(item))) {
		if (!strncmp(item, key, length) && item[length] == '=')
			return snprintf(value, room, "%s", item + length + 1) < (int)room;
		if (first && !strchr(item, '='))
			return snprintf(value, room, "%s", item) < (int)room;
		first = false;
	}
	return false;
}

static void add(struct monitors *monitors, const char *path)
{
	if (monitors->count < MONITORS_MAX)
		snprintf(monitors->path[monitors->count++], PATH_MAX, "%s", path);
}

static const char *option_name(const char *argument)
{
	if (*argument != '-')
		return "";
	return argument + 1 + (argument[1] == '-');
}

struct arguments {
	const char *at, *end;
};

/* The next option that has a value; NULL at the end. */
static const char *next_option(struct arguments *left, const char **value)
{
	const char *name = left->at, *behind;

	if (name >= left->end)
		return NULL;
	behind = name + strlen(name) + 1;
	left->at = behind;
	*value = behind < left->end ? behind : "";
	return option_name(name);
}

static void add_chardev(struct arguments all, const char *id, struct monitors *monitors)
{
	char is[256], path[PATH_MAX];
	const char *name, *value;

	while ((name = next_option(&all, &value)))
		if (!strcmp(name, "chardev") && !strncmp(value, "socket,", 7) &&
		    value_of(value, "id", false, is, sizeof(is)) && !strcmp(is, id) &&
		    value_of(value, "path", false, path, sizeof(path)))
			add(monitors, path);
}

void monitors_parse(const char *arguments, size_t bytes, struct monitors *monitors)
{
	const struct arguments all = { arguments, arguments + bytes };
	struct arguments left = all;
	char word[PATH_MAX], mode[32];
	const char *name, *value;

	monitors->count = 0;
	while ((name = next_option(&left, &value))) {
		if (!strcmp(name, "qmp") || !strcmp(name, "qmp-pretty")) {
			if (next_item(&value, word, sizeof(word)) && !strncmp(word, "unix:", 5))
				add(monitors, word + 5);
		} else if (!strcmp(name, "mon") &&
			   value_of(value, "mode", false, mode, sizeof(mode)) &&
			   !strcmp(mode, "control") &&
			   value_of(value, "chardev", true, word, sizeof(word))) {
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
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct pollfd wait = { .events = POLLIN };
	struct ucred peer = { 0 };
	socklen_t bytes = sizeof(peer);
	bool good;

	if (strlen(path) >= sizeof(addr.sun_path))
		return false;
	strcpy(addr.sun_path, path);
	wait.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	good = wait.fd >= 0 && !connect(wait.fd, (struct sockaddr *)&addr, sizeof(addr)) &&
	       !getsockopt(wait.fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) && peer.pid == pid &&
	       poll(&wait, 1, GREETING_MS) > 0;
	if (wait.fd >= 0)
		close(wait.fd);
	return good;
}

static size_t read_arguments(pid_t pid, char *arguments)
{
	char path[64];
	size_t bytes;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	bytes = fread(arguments, 1, ARGUMENTS_BYTES - 1, file);
	fclose(file);
	arguments[bytes] = 0;
	return bytes;
}

int monitors_find(pid_t pid, char path[PATH_MAX], struct fault *fault)
{
	static struct monitors monitors;
	char *arguments = malloc(ARGUMENTS_BYTES);
	unsigned int i;

	if (!arguments)
		return fail(fault, "no memory");
	monitors_parse(arguments, read_arguments(pid, arguments), &monitors);
	free(arguments);
	for (i = 0; i < monitors.count; i++)
		if (!resolve(pid, monitors.path[i], path) && greets(pid, path))
			return 0;
	return monitors.count ?
	       fail(fault, "each QMP monitor of QEMU (process %d) has a client already: give it one more, -qmp unix:PATH,server=on,wait=off, for vmfastmig",
		    (int)pid) :
	       fail(fault, "process %d has no QMP monitor on its command line: is it a QEMU? Give it -qmp unix:PATH,server=on,wait=off, or name its monitor: --qmp PATH",
		    (int)pid);
}

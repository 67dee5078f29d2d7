// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "script.h"
#include "tap.h"

static void *run(void *arg)
{
	struct script *script = arg;
	int fd;

	do {
		fd = accept(script->listen, NULL, NULL);
		if (fd < 0)
			break;
		script->play(fd, script->arg);
		close(fd);
	} while (script->each);
	return NULL;
}

static void start(struct script *script, const char *path, void (*play)(int fd, void *arg),
		  void *arg, bool each)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	script->play = play;
	script->arg = arg;
	script->each = each;
	script->listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(script->listen, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(script->listen, 1) || pthread_create(&script->thread, NULL, run, script))
		abort();
}

void script_start(struct script *script, const char *path, void (*play)(int fd, void *arg),
		  void *arg)
{
	start(script, path, play, arg, false);
}

void script_start_each(struct script *script, const char *path, void (*play)(int fd, void *arg),
		       void *arg)
{
	start(script, path, play, arg, true);
}

void script_end(struct script *script)
{
	shutdown(script->listen, SHUT_RDWR);	/* and nobody came */
	pthread_join(script->thread, NULL);
	close(script->listen);
}

void script_say(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t sent = send(fd, text, left, MSG_NOSIGNAL);

		if (sent <= 0)
			return;	/* the client is gone: its test says so */
		text += sent;
		left -= sent;
	}
}

json_t *script_hear(int fd)
{
	char line[4096];
	size_t used = 0;

	while (used < sizeof(line) && read(fd, line + used, 1) == 1)
		if (line[used++] == '\n')
			return json_loadb(line, used, 0, NULL);
	return NULL;
}

void script_answer(int fd, const char *command, const char *answer)
{
	json_t *request = script_hear(fd);
	char text[1024];

	CHECK_TEXT(json_string_value(json_object_get(request, "execute")), command);
	snprintf(text, sizeof(text), "{\"return\":%s,\"id\":%d}\r\n", answer,
		 (int)json_integer_value(json_object_get(request, "id")));
	json_decref(request);
	script_say(fd, text);
}

void script_greet(int fd)
{
	script_say(fd, SCRIPT_GREETING);
	script_answer(fd, "qmp_capabilities", "{}");
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* The other end of a monitor socket, speaking what a test wants to be heard. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>

#define SCRIPT_GREETING \
	"{\"QMP\":{\"version\":{\"qemu\":{\"micro\":22,\"minor\":2,\"major\":7}},\"capabilities\":[]}}\r\n"

struct script {
	int listen;
	void (*play)(int fd, void *arg);
	void *arg;
	bool each;
	pthread_t thread;
};

/* Listens at @path; plays to the first who connects, then closes. */
void script_start(struct script *script, const char *path, void (*play)(int fd, void *arg),
		  void *arg);
/* Plays to each who connects, one after the other. */
void script_start_each(struct script *script, const char *path, void (*play)(int fd, void *arg),
		       void *arg);
/* Waits for its end. */
void script_end(struct script *script);

void script_say(int fd, const char *text);
/* A line of the client, parsed; NULL at its end. */
json_t *script_hear(int fd);
/* Hears @command and answers {"return": @answer}. */
void script_answer(int fd, const char *command, const char *answer);
/* The greeting, and the negotiation after it. */
void script_greet(int fd);

#endif

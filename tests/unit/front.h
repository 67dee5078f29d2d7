/* SPDX-License-Identifier: GPL-2.0-only */
/* vmfastmig monitor in a thread, and what its clients say and hear. */
#ifndef FRONT_H
#define FRONT_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>

#include "monitor/monitor.h"

struct front {
	struct monitor monitor;
	pthread_t thread;
	int stop_fd;
	int status;
};

/* In front of the monitor at "qmp" of the scratch directory, at "front" in it. */
void front_start(struct front *front);
/* The same, and it connects to one that waits at @waiting. */
void front_start_for(struct front *front, const char *waiting);
/* Waits for its end, without having it end. */
void front_wait(struct front *front);
void front_end(struct front *front);

/* Connects and hears the greeting; front_client() negotiates as well. */
int front_connect(void);
/* The same at another monitor's socket, or on a connection; each gives it back. */
int front_at(const char *path);
int front_greeted(int fd);
int front_negotiated(int fd);
int front_client(void);

/* The next message; NULL at the end. Past 10 s the test ends. */
json_t *front_hear(int fd);
/* The next that is no event, and whether an event of that name came before it. */
json_t *front_answer(int fd);
/* Says it and hears the answer; caller's. */
json_t *front_ask(int fd, const char *request);
/* Asks; whether the answer is one, with @id (JSON; NULL: none). */
bool front_returns(int fd, const char *request, const char *id);
/* Asks; the text of the error, good until the next. */
const char *front_error(int fd, const char *request);
/* The next event; its name and, with a blank, its data's status or pass. */
const char *front_event(int fd);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What all writers go through, so that they can be made to stand still, in other processes too. */
#ifndef GATE_H
#define GATE_H

#include <pthread.h>
#include <stdbool.h>

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool shut, ended;
	int inside;
};

/* In memory that is shared with processes made later. NULL: no memory. */
struct gate *gate_new(void);
void gate_free(struct gate *gate);

/* Waits while it is shut. False: it is over. */
bool gate_enter(struct gate *gate);
void gate_leave(struct gate *gate);

/* Returns when nobody is inside. */
void gate_shut(struct gate *gate);
void gate_open(struct gate *gate);
void gate_end(struct gate *gate);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A program that the agent runs; what it prints is kept in files until its end. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <jansson.h>
#include <stdio.h>
#include <sys/types.h>

#include "../fault.h"

struct program {
	pid_t pid;		/* 0: none */
	int pidfd;
	json_t *id;		/* of the request */
	FILE *output, *errors;
};

int program_start(struct program *program, json_t *id, const json_t *argv, struct fault *fault);
/* As from a terminal. */
void program_interrupt(struct program *program);
/* NULL while it runs, then its answer. */
json_t *program_end(struct program *program);
/* Waits a little, then forgets about it. */
void program_leave(struct program *program);

#endif

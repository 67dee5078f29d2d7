/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads that run until the program ends. */
#ifndef RESPONDER_THREAD_H
#define RESPONDER_THREAD_H

#include <stdbool.h>

#include "../fault.h"

#define THREAD_ANY_CPU	(-1)
#define THREAD_NORMAL	0	/* no real-time priority */

/* Does without the priority where it is not allowed, but not without the CPU. */
int thread_start(void *(*run)(void *), void *arg, int fifo_priority, int cpu, struct fault *fault);

/* Whether all got the priority they were meant to have. */
bool thread_realtime(void);

#endif

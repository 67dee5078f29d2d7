// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <sys/mman.h>

#include "gate.h"

struct gate *gate_new(void)
{
	struct gate *gate = mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;

	if (gate == MAP_FAILED)
		return NULL;
	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&gate->lock, &mutex);
	pthread_condattr_init(&cond);
	pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&gate->changed, &cond);
	return gate;
}

void gate_free(struct gate *gate)
{
	munmap(gate, sizeof(*gate));
}

bool gate_enter(struct gate *gate)
{
	bool ended;

	pthread_mutex_lock(&gate->lock);
	while (gate->shut && !gate->ended)
		pthread_cond_wait(&gate->changed, &gate->lock);
	ended = gate->ended;
	gate->inside += !ended;
	pthread_mutex_unlock(&gate->lock);
	return !ended;
}

void gate_leave(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	if (!--gate->inside && gate->shut)
		pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

void gate_shut(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->shut = true;
	while (gate->inside)
		pthread_cond_wait(&gate->changed, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
}

static void let_on(struct gate *gate, bool *what, bool value)
{
	pthread_mutex_lock(&gate->lock);
	*what = value;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

void gate_open(struct gate *gate)
{
	let_on(gate, &gate->shut, false);
}

void gate_end(struct gate *gate)
{
	let_on(gate, &gate->ended, true);
}

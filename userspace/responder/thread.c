// SPDX-License-Identifier: GPL-2.0-only
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "thread.h"

#define STACK_BYTES (512 << 10)

static atomic_bool refused;

static int create(pthread_t *thread, void *(*run)(void *), void *arg, int cpu)
{
	pthread_attr_t attr;
	cpu_set_t set;
	int err = 0;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (cpu != THREAD_ANY_CPU) {
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		err = pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	if (!err)
		err = pthread_create(thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	return err;
}

int thread_start(void *(*run)(void *), void *arg, int fifo_priority, int cpu, struct fault *fault)
{
	struct sched_param param = { .sched_priority = fifo_priority };
	pthread_t thread;
	int err = create(&thread, run, arg, cpu);

	if (err && cpu != THREAD_ANY_CPU)
		return fail(fault, "cannot start a thread on CPU %d: %s", cpu, strerror(err));
	if (err)
		return fail(fault, "cannot start a thread: %s", strerror(err));
	if (fifo_priority && pthread_setschedparam(thread, SCHED_FIFO, &param))
		refused = true;
	return 0;
}

bool thread_realtime(void)
{
	return !refused;
}

// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

struct counters counters;

uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

void say(const char *fmt, ...)
{
	char line[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	printf("guest: %s\n", line);
	fflush(stdout);
}

void start_thread(void *(*run)(void *), void *arg, int fifo_priority)
{
	struct sched_param param = { .sched_priority = fifo_priority };
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, arg)) {
		say("cannot start a thread");
		return;
	}
	if (fifo_priority)
		pthread_setschedparam(thread, SCHED_FIFO, &param);
}

static void *responder(void *unused)
{
	responder_run();
	return unused;
}

int main(void)
{
	setup_kernel_filesystems();
	parse_args();
	setup_modules();
	setup_network(settings.ip);
	start_thread(responder, NULL, 10);
	pages_init();
	ticker_start();
	writer_start();
	checker_start();
	disk_start();
	counters.ready = true;
	say("ready, %s, %llu ms", settings.ip, (unsigned long long)now_us() / 1000);
	for (;;)
		pause();
}

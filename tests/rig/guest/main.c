// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "guest.h"
#include "responder/thread.h"

struct counters counters;

uint64_t now_us(void)
{
	return clock_ns() / 1000;
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

void start_thread(void *(*run)(void *), void *arg)
{
	struct fault fault;

	if (thread_start(run, arg, THREAD_NORMAL, THREAD_ANY_CPU, &fault))
		say("%s", fault.text);
}

int main(void)
{
	setup_kernel_filesystems();
	parse_args();
	setup_modules();
	setup_network(settings.ip);
	responder_start();
	pages_init();
	responder_tick();
	writer_start();
	checker_start();
	disk_start();
	nested_start();
	exec_start();
	counters.ready = true;
	say("ready, %s, %llu ms", settings.ip, (unsigned long long)now_us() / 1000);
	for (;;)
		pause();
}

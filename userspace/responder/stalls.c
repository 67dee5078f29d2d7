// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "stalls.h"

static struct stall {
	int cpu;
	struct ticker *ticker;
} stalls[CPU_SETSIZE];
static struct ticker tickers[CPU_SETSIZE];
static atomic_uint count;

int stalls_start(struct ticker *ticker, struct fault *fault)
{
	cpu_set_t cpus;
	int cpu;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return fail(fault, "cannot tell which CPUs there are: %s", strerror(errno));
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		struct ticker *own = CPU_COUNT(&cpus) > 1 ? &tickers[cpu] : ticker;

		if (!CPU_ISSET(cpu, &cpus))
			continue;
		if (own != ticker && ticker_start(own, cpu, fault))
			return -1;
		stalls[count] = (struct stall){ cpu, own };
		count++;
	}
	return 0;
}

void stalls_reset(void)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		ticker_reset(stalls[i].ticker);
}

void stalls_tell(struct text *text)
{
	unsigned int i;

	text_add(text, ",\"vcpus\":[");
	for (i = 0; i < count; i++)
		text_add(text, "%s{\"cpu\":%d,\"longest_stall_us\":%llu}", i ? "," : "",
			 stalls[i].cpu, stalls[i].ticker->longest_jump_us);
	text_add(text, "]");
}

// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <unistd.h>

#include "usage.h"

/* All but idle, waiting for I/O, and guests, who are in user and nice already. */
static int read_cpu_s(double *cpu_s, struct fault *fault)
{
	unsigned long long user, nice, system, irq, softirq, steal;
	FILE *stat = fopen("/proc/stat", "re");
	int got = 0;

	if (stat) {
		got = fscanf(stat, "cpu %llu %llu %llu %*u %*u %llu %llu %llu", &user, &nice,
			     &system, &irq, &softirq, &steal);
		fclose(stat);
	}
	if (got != 6)
		return fail(fault, "/proc/stat: not as expected");
	*cpu_s = (double)(user + nice + system + irq + softirq) / sysconf(_SC_CLK_TCK);
	return 0;
}

/* RDMA counts what it pins as VmPin, RLIMIT_MEMLOCK and io_uring as VmLck. */
static json_t *read_pinned(pid_t pid)
{
	unsigned long long kb;
	char path[64], line[256];
	json_int_t bytes = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	status = fopen(path, "re");
	if (!status)
		return NULL;
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "VmPin: %llu kB", &kb) == 1 || sscanf(line, "VmLck: %llu kB", &kb) == 1)
			bytes += kb << 10;
	fclose(status);
	return json_integer(bytes);
}

json_t *usage_read(pid_t pid, struct fault *fault)
{
	double cpu_s = 0;
	json_t *usage, *pinned;

	if (read_cpu_s(&cpu_s, fault))
		return NULL;
	usage = json_pack("{s:f}", "cpu_s", cpu_s);
	pinned = pid > 0 ? read_pinned(pid) : NULL;
	if (pinned)
		json_object_set_new(usage, "pinned_bytes", pinned);
	return usage;
}

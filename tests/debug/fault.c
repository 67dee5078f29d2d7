// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

#define KTHREADD	"2"	/* workers made later are its children, and inherit */

static int nth_fd = -1;

bool fault_open(void)
{
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return nth_fd >= 0;
}

static void write_nth(unsigned int nth)
{
	char text[16];
	int bytes = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(nth_fd, text, bytes, 0) != bytes) {
		perror("fail-nth");
		exit(1);
	}
}

void fault_arm(unsigned int nth)
{
	write_nth(nth);
}

bool fault_disarm(void)
{
	char text[16] = "";
	ssize_t bytes = pread(nth_fd, text, sizeof(text) - 1, 0);

	write_nth(0);
	return bytes > 0 && !atoi(text);
}

static FILE *open_knob(const char *kind, const char *knob, const char *mode)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kind, knob);
	file = fopen(path, mode);
	if (!file) {
		perror(path);
		exit(1);
	}
	return file;
}

static void set_knob(const char *kind, const char *knob, int value)
{
	FILE *file = open_knob(kind, knob, "w");

	fprintf(file, "%d", value);
	if (fclose(file)) {
		perror(knob);
		exit(1);
	}
}

static int get_knob(const char *kind, const char *knob)
{
	FILE *file = open_knob(kind, knob, "r");
	int value = 0;

	if (fscanf(file, "%d", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

static bool is_worker(const char *pid)
{
	char path[300], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = 0;
	fclose(file);
	return !strncmp(name, "kworker/", 8) || !strcmp(pid, KTHREADD);
}

/* A worker that ended meanwhile is no matter. */
static void set_workers(bool fail)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc) {
		perror("/proc");
		exit(1);
	}
	while ((entry = readdir(proc))) {
		char path[300];
		int fd;

		if (!isdigit(entry->d_name[0]) || !is_worker(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/make-it-fail", entry->d_name);
		fd = open(path, O_WRONLY);
		if (fd < 0)
			continue;
		if (write(fd, fail ? "1" : "0", 1) != 1 && errno != ESRCH)
			fprintf(stderr, "# %s: %s\n", path, strerror(errno));
		close(fd);
	}
	closedir(proc);
}

void worker_fault_arm(const char *kind, int space)
{
	set_knob(kind, "times", 0);
	set_knob(kind, "task-filter", 1);
	set_knob(kind, "interval", 1);
	set_knob(kind, "space", space);
	set_knob(kind, "probability", 100);
	set_workers(true);
	set_knob(kind, "times", 1);
}

int worker_fault_disarm(const char *kind)
{
	int times = get_knob(kind, "times");

	set_knob(kind, "times", 0);
	set_knob(kind, "probability", 0);
	set_workers(false);
	return times ? get_knob(kind, "space") : 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Monitors on a QEMU's command line, and the one of them that can be had. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitors.h"
#include "qemu.h"
#include "qmp.h"
#include "scratch.h"
#include "tap.h"

static struct monitors monitors;

/* Arguments are parted by blanks. */
static void parse(const char *line)
{
	char arguments[1024];
	size_t bytes = strlen(line) + 1, i;

	for (i = 0; i < bytes; i++)
		arguments[i] = line[i] == ' ' ? 0 : line[i];
	monitors_parse(arguments, bytes, &monitors);
}

static void by_qmp(void)
{
	parse("qemu -m 1G -qmp unix:/run/a,server=on,wait=off --qmp unix:b,,c -qmp-pretty unix:/x=y");
	CHECK(monitors.count == 3);
	CHECK_TEXT(monitors.path[0], "/run/a");
	CHECK_TEXT(monitors.path[1], "b,c");
	CHECK_TEXT(monitors.path[2], "/x=y");
}

static void by_mon(void)
{
	parse("qemu -chardev socket,id=c0,path=/run/c0,server=on -mon chardev=c0,mode=control -mon c1,mode=control -chardev socket,server=on,path=/run/c1,id=c1");
	CHECK(monitors.count == 2);
	CHECK_TEXT(monitors.path[0], "/run/c0");
	CHECK_TEXT(monitors.path[1], "/run/c1");
}

static void none(void)
{
	static const char *const lines[] = {
		"", "qemu", "qemu -qmp", "qemu -qmp stdio -qmp tcp:localhost:4444", "qemu -monitor unix:/run/hmp",
		"qemu -mon c0,mode=readline -chardev socket,id=c0,path=/run/c0",
		"qemu -mon c0,mode=control -chardev socket,id=c0,fd=24 -chardev pty,id=c0,path=/x",
		"qemu -mon c1,mode=control -chardev socket,id=c0,path=/run/c0", "qemu -chardev -mon",
	};
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		parse(lines[i]);
		CHECK(monitors.count == 0);
	}
}

static void many(void)
{
	char line[600] = "qemu";
	int i;

	for (i = 0; i < 20; i++)
		strcat(line, " -qmp unix:/run/m");
	parse(line);
	CHECK(monitors.count == MONITORS_MAX);
}

/* Up once its own monitor greets, which is on no path that it knows. */
static pid_t start(const char *options)
{
	const char *path = scratch_path("unnamed");
	pid_t pid = qemu_start(path, options);
	struct fault fault;
	struct qmp qmp;

	if (qmp_open(&qmp, path, &fault))
		tap_give_up(fault.text);
	qmp_close(&qmp);
	return pid;
}

static void of_a_qemu(void)
{
	char options[512], first[128], found[PATH_MAX];
	struct fault fault;
	struct qmp qmp;
	pid_t pid;

	snprintf(first, sizeof(first), "%s", scratch_path("first"));
	snprintf(options, sizeof(options),
		 "-qmp unix:%s,server=on,wait=off -qmp unix:%s,server=on,wait=off", first,
		 scratch_path("second"));
	pid = start(options);
	CHECK(!monitors_find(pid, found, &fault));
	CHECK_HAS(found, "/first");
	if (qmp_open(&qmp, first, &fault))
		tap_give_up(fault.text);
	CHECK(!monitors_find(pid, found, &fault));
	CHECK_HAS(found, "/second");
	qmp_close(&qmp);
	CHECK(monitors_find(getpid(), found, &fault) == -1);
	CHECK_HAS(fault.text, "no QMP monitor");
	qemu_end(pid);
}

static void all_taken(void)
{
	char options[256], only[128], found[PATH_MAX];
	struct fault fault;
	struct qmp qmp;
	pid_t pid;

	snprintf(only, sizeof(only), "%s", scratch_path("only"));
	snprintf(options, sizeof(options), "-qmp unix:%s,server=on,wait=off", only);
	pid = start(options);
	if (qmp_open(&qmp, only, &fault))
		tap_give_up(fault.text);
	CHECK(monitors_find(pid, found, &fault) == -1);
	CHECK_HAS(fault.text, "one more");
	qmp_close(&qmp);
	qemu_end(pid);
}

int main(void)
{
	static const struct test tests[] = {
		{ "given by -qmp", by_qmp },
		{ "given by -mon and -chardev", by_mon },
		{ "none", none },
		{ "more than can be told", many },
		{ "the one without a client", of_a_qemu },
		{ "each has a client", all_taken },
	};

	return TAP_RUN(tests);
}

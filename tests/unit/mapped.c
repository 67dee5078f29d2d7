// SPDX-License-Identifier: GPL-2.0-only
/* Whether a process has a region's file as its RAM. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mapped.h"
#include "scratch.h"
#include "tap.h"

static struct guest guest = { .regions = 1, .region[0].id = "ram0" };
static struct fault fault;

static bool has(pid_t pid)
{
	return !mapped_check(&guest, pid, &fault);
}

static void *map(int protection, int flags)
{
	void *at = mmap(NULL, 4096, protection, flags, guest.region[0].fd, 0);

	if (at == MAP_FAILED)
		tap_give_up("cannot map");
	return at;
}

static void open_ram(void)
{
	guest.region[0].fd = open(scratch_file("ram", "0123456789", 0600), O_RDWR | O_CLOEXEC);
	CHECK(guest.region[0].fd >= 0);
}

static void mapped(void)
{
	void *at;

	open_ram();
	CHECK(!has(getpid()));
	CHECK_HAS(fault.text, "region ram0: QEMU (process ");
	CHECK_HAS(fault.text, scratch_path("ram"));
	at = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	CHECK(!has(getpid()));
	munmap(at, 4096);
	at = map(PROT_READ, MAP_SHARED);
	CHECK(!has(getpid()));
	munmap(at, 4096);
	at = map(PROT_READ | PROT_WRITE, MAP_SHARED);
	CHECK(has(getpid()));
	munmap(at, 4096);
	CHECK(!has(getpid()));
	close(guest.region[0].fd);
	guest.region[0].fd = -1;
	CHECK(!has(getpid()));
	guest.regions = 0;
	CHECK(has(getpid()) && has(0));
}

/* That another process has it does not count, nor that of the name as it was before. */
static void of_others(void)
{
	pid_t pid = fork();
	void *at;

	if (!pid)
		for (;;)
			pause();
	open_ram();
	at = map(PROT_READ | PROT_WRITE, MAP_SHARED);
	CHECK(has(getpid()) && !has(pid) && !has(0));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(!has(pid));
	close(guest.region[0].fd);
	unlink(scratch_path("ram"));
	open_ram();
	CHECK(!has(getpid()));
	munmap(at, 4096);
	close(guest.region[0].fd);
}

/* The name of a file that a process maps is what its user likes. */
static void names(void)
{
	char wanted[128], text[6000];
	struct stat st;
	size_t bytes;
	bool ever = false;
	FILE *maps;

	open_ram();
	CHECK(!fstat(guest.region[0].fd, &st));
	snprintf(wanted, sizeof(wanted), "7f00-7f01 rw-s 00000000 %02x:%02x %llu /x\n",
		 major(st.st_dev), minor(st.st_dev), (unsigned long long)st.st_ino);
	maps = fmemopen(wanted, strlen(wanted), "r");
	CHECK(mapped_in(maps, guest.region[0].fd));
	fclose(maps);
	for (bytes = 1; bytes < 5000; bytes++) {
		memset(text, '/', bytes);
		strcpy(text + bytes, wanted);
		maps = fmemopen(text, strlen(text), "r");
		ever |= mapped_in(maps, guest.region[0].fd);
		fclose(maps);
	}
	CHECK(!ever);
	close(guest.region[0].fd);
}

int main(void)
{
	static const struct test tests[] = {
		{ "writable and shared", mapped },
		{ "by others, and of another file", of_others },
		{ "files whose names look like mappings", names },
	};

	return TAP_RUN(tests);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Sockets of domains: their paths, and those as virsh wants them. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "sockpeer.h"
#include "tap.h"
#include "virtdir.h"

static void paths(void)
{
	char path[108], long_name[200];
	struct fault fault;

	CHECK(!virtdir_path("vm1", path, &fault));
	CHECK_TEXT(path, "/run/vmfastmig/libvirt/vm1");
	CHECK(virtdir_path("", path, &fault) == -1);
	CHECK(virtdir_path("..", path, &fault) == -1);
	CHECK(virtdir_path("../vm1", path, &fault) == -1);
	CHECK_HAS(fault.text, "not a domain's name");
	memset(long_name, 'a', sizeof(long_name));
	long_name[84] = 0;
	CHECK(!virtdir_path(long_name, path, &fault));
	long_name[84] = 'a';
	long_name[85] = 0;
	CHECK(virtdir_path(long_name, path, &fault) == -1);
	CHECK_HAS(fault.text, "too long");
}

static void uris(void)
{
	char uri[400], path[108];

	virtdir_uri("/run/a-b_c.d~1", uri, sizeof(uri));
	CHECK_TEXT(uri, "unix:///run/a-b_c.d~1");
	virtdir_uri("/run/my vm?#%\xc3\xa4", uri, sizeof(uri));
	CHECK_TEXT(uri, "unix:///run/my%20vm%3F%23%25%C3%A4");
	memset(path, ' ', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	virtdir_uri(path, uri, sizeof(uri));
	CHECK(strlen(uri) == 7 + 3 * 107);
}

/* A socket that was left is in nobody's way; ours is for root alone. */
static void listener(void)
{
	const char *path = scratch_file("vm1", "", 0600);
	struct fault fault;
	struct stat st;
	int fd, client;

	fd = virtdir_listen(path, &fault);
	CHECK(fd >= 0);
	CHECK(!stat(path, &st) && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600);
	client = sockpeer_connect(path, getpid(), &fault);
	CHECK(client >= 0);
	close(client);
	close(fd);
	CHECK(virtdir_listen("/nonexistent/vm1", &fault) == -1);
	CHECK_HAS(fault.text, "/nonexistent/vm1: No such file");
}

int main(void)
{
	static const struct test tests[] = {
		{ "paths", paths },
		{ "URIs", uris },
		{ "a listener", listener },
	};

	return TAP_RUN(tests);
}

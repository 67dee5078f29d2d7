// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the module refuses, with which words, and that nothing is left behind.
 * Environment: VMFM_DIR and VMFM_ADDR as for rounds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "door.h"
#include "kselftest_harness.h"
#include "mapper.h"
#include "region.h"

#define SIZE	(8UL << 20)
#define WAIT_MS	30000

FIXTURE(door)
{
	struct door door, other;
	struct door_spec sink, source;
	int sink_fd, source_fd;
};

static void make_spec(struct door_spec *spec, int role, int fd)
{
	door_spec_init(spec, role);
	spec->regions = 1;
	spec->fd[0] = fd;
}

FIXTURE_SETUP(door)
{
	ASSERT_EQ(0, door_open(&self->door));
	ASSERT_EQ(0, door_open(&self->other));
	self->source_fd = region_file("refuse-source", SIZE);
	self->sink_fd = region_file("refuse-sink", SIZE);
	make_spec(&self->source, VMFM_ROLE_SOURCE, self->source_fd);
	make_spec(&self->sink, VMFM_ROLE_SINK, self->sink_fd);
}

FIXTURE_TEARDOWN(door)
{
	close(self->source_fd);
	close(self->sink_fd);
	door_close(&self->door);
	door_close(&self->other);
}

#define EXPECT_REFUSED(_errno, _text) do {					\
	EXPECT_EQ(-(_errno), err);						\
	EXPECT_NE(NULL, strstr(self->door.error, _text)) TH_LOG("%s", self->door.error); \
} while (0)

TEST_F(door, bad_specs)
{
	struct door_spec spec = self->sink;
	int err, zero = open("/dev/zero", O_RDWR);

	spec.fd[0] = 999;
	err = door_new(&self->door, &spec);
	EXPECT_REFUSED(EBADF, "ram0");
	spec.fd[0] = zero;
	err = door_new(&self->door, &spec);
	EXPECT_REFUSED(EMEDIUMTYPE, "not a vmfastmig file");
	spec = self->sink;
	spec.peer.sin_family = 0;
	err = door_new(&self->door, &spec);
	EXPECT_REFUSED(EINVAL, "expects its peer");
	spec = self->sink;
	spec.addr.sin_family = AF_UNIX;
	err = door_new(&self->door, &spec);
	EXPECT_REFUSED(EAFNOSUPPORT, "sockaddr_in");
	spec = self->sink;
	spec.regions = 0;
	err = door_new(&self->door, &spec);
	EXPECT_REFUSED(EINVAL, "regions");	/* libnl leaves an empty nest out */
	spec = self->sink;
	spec.name[0][0] = 0;
	err = door_new(&self->door, &spec);
	EXPECT_REFUSED(EINVAL, "name");
	spec = self->sink;
	spec.role = 3;
	EXPECT_EQ(-ERANGE, door_new(&self->door, &spec));
	spec = self->sink;
	inet_pton(AF_INET, "192.0.2.1", &spec.addr.sin_addr);
	err = door_new(&self->door, &spec);
	EXPECT_LT(err, 0);
	EXPECT_NE(NULL, strstr(self->door.error, "192.0.2.1")) TH_LOG("%s", self->door.error);
	spec = self->sink;
	spec.fd[0] = region_file("empty", 0);
	err = door_new(&self->door, &spec);
	EXPECT_REFUSED(EINVAL, "empty");
	close(spec.fd[0]);
	close(zero);
}

TEST_F(door, sink_keeps_what_is_there)
{
	char *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, self->sink_fd, 0);
	int err, id;

	area[0] = 9;
	err = door_new(&self->door, &self->sink);
	EXPECT_REFUSED(ENOTEMPTY, "holds pages");
	EXPECT_EQ(9, area[0]);
	self->sink.discard = true;
	id = door_new(&self->door, &self->sink);
	EXPECT_GT(id, 0);
	EXPECT_EQ(0, area[0]);
	/* Its size and its pages are the session's now. */
	EXPECT_EQ(-1, ftruncate(self->sink_fd, SIZE / 2));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(-1, fallocate(self->sink_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_DEL, id, 0));
	EXPECT_EQ(0, ftruncate(self->sink_fd, SIZE / 2));
	munmap(area, SIZE);
}

/* By a second QEMU that was given the file of the first, whose guest runs. */
TEST_F(door, sink_of_a_file_in_use)
{
	char *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, self->sink_fd, 0);
	struct mapper other;
	int err, id;

	area[0] = 9;
	self->sink.discard = true;
	ASSERT_EQ(0, mapper_start(&other, self->sink_fd, SIZE));
	err = door_new(&self->door, &self->sink);
	EXPECT_REFUSED(EBUSY, "more than one process maps its file");
	EXPECT_EQ(9, area[0]);
	EXPECT_EQ(0, mapper_end(&other));
	id = door_new(&self->door, &self->sink);
	EXPECT_GT(id, 0);
	EXPECT_EQ(0, area[0]);
	EXPECT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_DEL, id, 0));
	munmap(area, SIZE);
}

/* The filesystem lives as long as a session has a file of it. */
TEST_F(door, unmounted_under_a_session)
{
	char dir[] = "/tmp/vmfm-mount-XXXXXX", path[64];
	struct door_stats stats;
	int id, fd;

	ASSERT_NE(NULL, mkdtemp(dir));
	ASSERT_EQ(0, mount("none", dir, "vmfastmig", 0, "size=16M"));
	snprintf(path, sizeof(path), "%s/ram", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	ASSERT_EQ(0, fallocate(fd, 0, 0, 4096));
	self->source.fd[0] = fd;
	id = door_new(&self->door, &self->source);
	ASSERT_GT(id, 0);
	close(fd);
	EXPECT_EQ(0, unlink(path));
	EXPECT_EQ(0, umount(dir));
	EXPECT_EQ(0, door_get(&self->other, id, &stats));
	EXPECT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_DEL, id, 0));
	EXPECT_EQ(-ENOENT, door_get(&self->other, id, &stats));
	EXPECT_EQ(0, rmdir(dir));
}

TEST_F(door, owner_only)
{
	int id = door_new(&self->door, &self->source);
	struct door_stats stats;

	ASSERT_GT(id, 0);
	EXPECT_EQ(0, door_get(&self->other, id, &stats));
	EXPECT_EQ(-EPERM, door_call(&self->other, VMFM_CMD_SESSION_START, id, 0));
	EXPECT_NE(NULL, strstr(self->other.error, "another socket"));
	EXPECT_EQ(-EPERM, door_call(&self->other, VMFM_CMD_SESSION_DEL, id, 0));
	EXPECT_EQ(-EBUSY, door_call(&self->door, VMFM_CMD_SESSION_ROUND, id, 0));
	EXPECT_EQ(-EBUSY, door_call(&self->door, VMFM_CMD_SESSION_FINAL, id, 100));
	EXPECT_EQ(-EINVAL, door_call(&self->door, VMFM_CMD_SESSION_FINAL, id, 0));
	EXPECT_EQ(-ENOENT, door_call(&self->door, VMFM_CMD_SESSION_START, id + 1000, 0));
	/* The file is taken. */
	EXPECT_EQ(-EBUSY, door_new(&self->other, &self->source));
	/* It dies with its socket. */
	door_close(&self->door);
	ASSERT_EQ(0, door_open(&self->door));
	usleep(500000);
	EXPECT_EQ(-ENOENT, door_get(&self->door, id, &stats));
	id = door_new(&self->other, &self->source);
	EXPECT_GT(id, 0);
}

TEST_F(door, unprivileged)
{
	struct door door;
	pid_t child = fork();
	int status;

	if (!child) {
		if (setgid(65534) || setuid(65534) || door_open(&door))
			_exit(2);
		_exit(door_call(&door, VMFM_CMD_SESSION_DEL, 1, 0) == -EPERM ? 0 : 1);
	}
	waitpid(child, &status, 0);
	EXPECT_EQ(0, WEXITSTATUS(status));
}

/* Every attribute at every command, with sizes that do not fit. */
TEST_F(door, malformed)
{
	char junk[64] = "junk";
	int cmd, attr, size;

	for (cmd = 0; cmd <= VMFM_CMD_MAX + 2; cmd++)
		for (attr = 0; attr <= VMFM_A_MAX + 2; attr++)
			for (size = 0; size < 64; size += 7) {
				struct nl_msg *msg = door_message(&self->door, cmd, 0);

				nla_put(msg, attr, size, junk);
				door_send(&self->door, msg);
			}
	EXPECT_EQ(0, door_send(&self->door, door_message(&self->door, VMFM_CMD_INFO_GET, 0)));
}

static int start(struct door *door, int id)
{
	int err = door_call(door, VMFM_CMD_SESSION_START, id, 0);

	return err ?: door_wait(door, id, VMFM_STATE_READY, WAIT_MS);
}

/* Tries to start a source that differs from the sink in one thing. */
static int mismatch(FIXTURE_DATA(door) *self, struct door_spec *source)
{
	struct door_spec sink = self->sink;
	int sink_id = door_new(&self->other, &sink), source_id, err;

	if (sink_id < 0)
		return sink_id;
	source->addr.sin_port = sink.addr.sin_port;
	source_id = door_new(&self->door, source);
	if (source_id < 0)
		return source_id;
	err = start(&self->door, source_id);
	door_call(&self->other, VMFM_CMD_SESSION_DEL, sink_id, 0);
	strcpy(self->other.error, self->door.error);
	door_call(&self->door, VMFM_CMD_SESSION_DEL, source_id, 0);
	strcpy(self->door.error, self->other.error);
	return err;
}

TEST_F_TIMEOUT(door, mismatches, 120)
{
	struct door_spec source = self->source;
	int err;

	EXPECT_EQ(0, mismatch(self, &source)) TH_LOG("%s", self->door.error);

	source.token[3] ^= 1;
	err = mismatch(self, &source);
	EXPECT_REFUSED(EACCES, "token");

	source = self->source;
	strcpy(source.name[0], "ram1");
	err = mismatch(self, &source);
	EXPECT_LT(err, 0);

	source = self->source;
	ASSERT_EQ(0, ftruncate(self->source_fd, SIZE / 2));
	err = mismatch(self, &source);
	EXPECT_EQ(-EINVAL, err);
	ASSERT_EQ(0, ftruncate(self->source_fd, SIZE));

	source.regions = 2;
	source.fd[1] = region_file("more", SIZE);
	strcpy(source.name[1], "ram1");
	err = mismatch(self, &source);
	EXPECT_REFUSED(EACCES, "regions");
	close(source.fd[1]);

	inet_pton(AF_INET, "192.0.2.9", &self->sink.peer.sin_addr);
	source = self->source;
	err = mismatch(self, &source);
	EXPECT_REFUSED(EACCES, "another address");
}

/* A second connection to a session, and the token once more after its end. */
TEST_F_TIMEOUT(door, second_and_replayed, 120)
{
	struct door_spec second = self->source;
	int sink = door_new(&self->other, &self->sink), first, id, err;

	ASSERT_GT(sink, 0);
	self->source.addr.sin_port = self->sink.addr.sin_port;
	first = door_new(&self->door, &self->source);
	ASSERT_GT(first, 0);
	ASSERT_EQ(0, start(&self->door, first)) TH_LOG("%s", self->door.error);

	second.addr.sin_port = self->sink.addr.sin_port;
	second.fd[0] = region_file("second", SIZE);
	id = door_new(&self->door, &second);
	ASSERT_GT(id, 0);
	err = start(&self->door, id);
	EXPECT_REFUSED(EACCES, "its connection already");
	EXPECT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_DEL, id, 0));
	/* The first one does not notice. */
	EXPECT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_ROUND, first, 0));
	EXPECT_EQ(0, door_wait(&self->door, first, VMFM_STATE_READY, WAIT_MS));

	EXPECT_EQ(0, door_call(&self->other, VMFM_CMD_SESSION_DEL, sink, 0));
	EXPECT_EQ(-ECONNRESET, door_wait(&self->door, first, VMFM_STATE_DONE, WAIT_MS));
	id = door_new(&self->door, &second);
	ASSERT_GT(id, 0);
	err = start(&self->door, id);
	EXPECT_EQ(-ECONNREFUSED, err) TH_LOG("%s", self->door.error);
	close(second.fd[0]);
}

TEST_HARNESS_MAIN

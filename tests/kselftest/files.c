// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of the filesystem: what can be done with one, what cannot, what it
 * costs. Environment: VMFM_DIR, a mounted vmfastmig.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../../kmod/uapi/linux/vmfastmig.h"
#include "kselftest_harness.h"

#define PAGE	4096UL
#define BLOCK	(2UL << 20)
#define QUOTA	(8 * BLOCK)

FIXTURE(files)
{
	char dir[64];
	char path[96];
	int fd;
	char *area;
};

FIXTURE_SETUP(files)
{
	snprintf(self->dir, sizeof(self->dir), "/tmp/vmfm-files-%d", getpid());
	ASSERT_EQ(0, mkdir(self->dir, 0700));
	ASSERT_EQ(0, mount("none", self->dir, VMFM_FS_NAME, 0, "size=16M,mode=0750,uid=7,gid=8"));
	snprintf(self->path, sizeof(self->path), "%s/ram", self->dir);
	self->fd = open(self->path, O_RDWR | O_CREAT | O_EXCL, 0600);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, ftruncate(self->fd, 4 * QUOTA));
	self->area = mmap(NULL, 4 * QUOTA, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->area);
}

FIXTURE_TEARDOWN(files)
{
	munmap(self->area, 4 * QUOTA);
	close(self->fd);
	EXPECT_EQ(0, umount(self->dir));
	rmdir(self->dir);
}

static unsigned long used_pages(const char *dir)
{
	struct statfs fs;

	statfs(dir, &fs);
	return fs.f_blocks - fs.f_bfree;
}

TEST_F(files, mount_options)
{
	struct statfs fs;
	struct stat st;

	ASSERT_EQ(0, statfs(self->dir, &fs));
	EXPECT_EQ(VMFM_FS_MAGIC, fs.f_type);
	EXPECT_EQ(PAGE, fs.f_bsize);
	EXPECT_EQ(QUOTA / PAGE, fs.f_blocks);
	ASSERT_EQ(0, stat(self->dir, &st));
	EXPECT_EQ(0750, st.st_mode & 07777);
	EXPECT_EQ(7, st.st_uid);
	EXPECT_EQ(8, st.st_gid);
	EXPECT_EQ(-1, mount("none", self->dir, VMFM_FS_NAME, 0, "size=nonsense"));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, mount("none", self->dir, VMFM_FS_NAME, 0, "size=101%"));
	EXPECT_EQ(-1, mount("none", self->dir, VMFM_FS_NAME, 0, "nosuch=1"));
}

/* QEMU asks for the page size of a file by these two, and we for whose it is by the third. */
TEST_F(files, statfs_of_hugetlbfs)
{
	struct statfs fs;

	self->area[0] = 'x';
	ASSERT_EQ(0, mount("none", self->dir, VMFM_FS_NAME, MS_REMOUNT, "statfs=hugetlbfs"));
	ASSERT_EQ(0, fstatfs(self->fd, &fs));
	EXPECT_EQ(HUGETLBFS_MAGIC, fs.f_type);
	EXPECT_EQ(BLOCK, fs.f_bsize);
	EXPECT_EQ(VMFM_FS_MAGIC, fs.f_fsid.__val[0]);
	EXPECT_EQ(QUOTA / BLOCK, fs.f_blocks);
	EXPECT_EQ(QUOTA / BLOCK - 1, fs.f_bavail);
	ASSERT_EQ(0, mount("none", self->dir, VMFM_FS_NAME, MS_REMOUNT, "size=64M"));
	ASSERT_EQ(0, fstatfs(self->fd, &fs));
	EXPECT_EQ(HUGETLBFS_MAGIC, fs.f_type);
	ASSERT_EQ(0, mount("none", self->dir, VMFM_FS_NAME, MS_REMOUNT, "statfs=vmfastmig"));
	ASSERT_EQ(0, fstatfs(self->fd, &fs));
	EXPECT_EQ(VMFM_FS_MAGIC, fs.f_type);
	EXPECT_EQ(VMFM_FS_MAGIC, fs.f_fsid.__val[0]);
	EXPECT_EQ(-1, mount("none", self->dir, VMFM_FS_NAME, MS_REMOUNT, "statfs=ext4"));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(files, zeroed_and_sparse)
{
	char page[PAGE], zero[PAGE] = {};
	struct stat st;

	EXPECT_EQ(PAGE, pread(self->fd, page, PAGE, BLOCK));
	EXPECT_EQ(0, memcmp(page, zero, PAGE));
	EXPECT_EQ(0, used_pages(self->dir));	/* reading a hole makes nothing */
	EXPECT_EQ(0, self->area[BLOCK + 5]);
	self->area[BLOCK + 5] = 'x';
	EXPECT_EQ(PAGE, pread(self->fd, page, PAGE, BLOCK));
	EXPECT_EQ('x', page[5]);
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(4 * QUOTA, st.st_size);
	EXPECT_EQ(used_pages(self->dir) * 8, st.st_blocks);
	EXPECT_EQ(BLOCK / PAGE, used_pages(self->dir));
}

TEST_F(files, no_write)
{
	EXPECT_EQ(-1, write(self->fd, "x", 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pwrite(self->fd, "x", 1, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(files, quota)
{
	pid_t child;
	int status;

	EXPECT_EQ(0, fallocate(self->fd, 0, 0, QUOTA));
	EXPECT_EQ(QUOTA / PAGE, used_pages(self->dir));
	EXPECT_EQ(-1, fallocate(self->fd, 0, QUOTA, PAGE));
	EXPECT_EQ(ENOSPC, errno);
	child = fork();
	if (!child) {
		self->area[QUOTA] = 1;	/* a bus error, as hugetlbfs and tmpfs do */
		_exit(0);
	}
	waitpid(child, &status, 0);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	EXPECT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, BLOCK));
	EXPECT_EQ((QUOTA - BLOCK) / PAGE, used_pages(self->dir));
	self->area[QUOTA] = 1;
	EXPECT_EQ(QUOTA / PAGE, used_pages(self->dir));
}

TEST_F(files, punch_part_of_a_huge_page)
{
	size_t at;

	memset(self->area, 0x11, BLOCK);
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * PAGE,
			       5 * PAGE));
	for (at = 0; at < BLOCK; at += PAGE)
		ASSERT_EQ(at >= 3 * PAGE && at < 8 * PAGE ? 0 : 0x11, self->area[at + 17])
			TH_LOG("page %zu", at / PAGE);
	EXPECT_EQ(-1, fallocate(self->fd, FALLOC_FL_COLLAPSE_RANGE, 0, BLOCK));
	EXPECT_EQ(EOPNOTSUPP, errno);
}

TEST_F(files, unlinked_while_mapped)
{
	self->area[0] = 42;
	ASSERT_EQ(0, unlink(self->path));
	EXPECT_EQ(42, self->area[0]);
	self->area[BLOCK] = 43;
	EXPECT_EQ(2 * BLOCK / PAGE, used_pages(self->dir));
	munmap(self->area, 4 * QUOTA);
	close(self->fd);
	EXPECT_EQ(0, used_pages(self->dir));
	self->fd = open(self->path, O_RDWR | O_CREAT, 0600);
	ASSERT_EQ(0, ftruncate(self->fd, 4 * QUOTA));
	self->area = mmap(NULL, 4 * QUOTA, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
}

TEST_F(files, names)
{
	char sub[128], moved[160];
	struct stat st;

	snprintf(sub, sizeof(sub), "%s/sub", self->dir);
	snprintf(moved, sizeof(moved), "%s/ram2", sub);
	EXPECT_EQ(0, mkdir(sub, 0700));
	EXPECT_EQ(0, rename(self->path, moved));
	EXPECT_EQ(-1, rmdir(sub));
	EXPECT_EQ(ENOTEMPTY, errno);
	EXPECT_EQ(0, stat(moved, &st));
	EXPECT_EQ(0, unlink(moved));
	EXPECT_EQ(0, rmdir(sub));
}

TEST_F(files, for_their_owner)
{
	mode_t mask = umask(0);
	char path[128];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/mode", self->dir);
	fd = open(path, O_CREAT | O_RDWR, 0666);
	umask(mask);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(0, fchmod(fd, 0640));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0640, st.st_mode & 07777);
	close(fd);
	unlink(path);
}

TEST_F(files, shrink_gives_back)
{
	memset(self->area, 1, 2 * BLOCK);
	ASSERT_EQ(0, ftruncate(self->fd, BLOCK));
	EXPECT_EQ(BLOCK / PAGE, used_pages(self->dir));
	ASSERT_EQ(0, ftruncate(self->fd, 4 * QUOTA));
	EXPECT_EQ(0, self->area[BLOCK]);
}

static unsigned long present_pages(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_blocks / (PAGE / 512);
}

/* Nobody mapped it, or looked at it: its inode has no dirty pages' account. */
TEST_F(files, shrink_within_a_block)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/fresh", self->dir);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, BLOCK));
	ASSERT_EQ(0, fallocate(fd, 0, 0, BLOCK));
	ASSERT_EQ(0, ftruncate(fd, BLOCK / 2 + 1));
	EXPECT_EQ(BLOCK / 2 / PAGE + 1, present_pages(path));
	ASSERT_EQ(0, ftruncate(fd, BLOCK / 2));
	EXPECT_EQ(BLOCK / 2 / PAGE, present_pages(path));
	close(fd);
	unlink(path);

	memset(self->area, 1, 2 * BLOCK);
	ASSERT_EQ(0, ftruncate(self->fd, BLOCK + 3 * PAGE));
	EXPECT_EQ(BLOCK / PAGE + 3, present_pages(self->path));
	EXPECT_EQ(BLOCK / PAGE + 3, used_pages(self->dir));
	EXPECT_EQ(1, self->area[BLOCK + 3 * PAGE - 1]);
	ASSERT_EQ(0, ftruncate(self->fd, 4 * QUOTA));
	EXPECT_EQ(0, self->area[BLOCK + 3 * PAGE]);
}

/* A block that somebody refers to cannot be split: the file keeps its size and its pages. */
TEST_F(files, shrink_within_a_block_in_use)
{
	struct iovec page = { self->area, PAGE };
	int in_use[2];
	size_t i;

	memset(self->area, 1, BLOCK);
	ASSERT_EQ(0, pipe(in_use));
	ASSERT_EQ((ssize_t)PAGE, vmsplice(in_use[1], &page, 1, 0));
	EXPECT_EQ(-1, ftruncate(self->fd, BLOCK / 2));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(BLOCK / PAGE, present_pages(self->path));
	for (i = 0; i < BLOCK; i += PAGE)
		ASSERT_EQ(1, self->area[i + 1]);
	close(in_use[0]);
	close(in_use[1]);
	EXPECT_EQ(0, ftruncate(self->fd, BLOCK / 2));
	EXPECT_EQ(BLOCK / 2 / PAGE, present_pages(self->path));
}

static unsigned long smaps_kb(void *area, const char *field)
{
	char line[256], head[64];
	unsigned long kb = 0;
	bool here = false;
	FILE *smaps = fopen("/proc/self/smaps", "r");

	snprintf(head, sizeof(head), "%lx-", (unsigned long)area);
	while (fgets(line, sizeof(line), smaps)) {
		if (!strncmp(line, head, strlen(head)))
			here = true;
		else if (here && !strncmp(line, field, strlen(field)) &&
			 sscanf(line + strlen(field), ": %lu", &kb) == 1)
			break;
	}
	fclose(smaps);
	return kb;
}

TEST_F(files, mapped_by_pmd)
{
	char *raw = mmap(NULL, 3 * BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *area = (char *)(((unsigned long)raw + BLOCK - 1) & ~(BLOCK - 1));

	area = mmap(area, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, area);
	area[1] = 1;
	area[BLOCK + 1] = 1;
	EXPECT_EQ(2 * BLOCK / 1024, smaps_kb(area, "FilePmdMapped"));
	munmap(raw, 3 * BLOCK);
}

TEST_HARNESS_MAIN

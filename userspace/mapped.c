// SPDX-License-Identifier: GPL-2.0-only
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mapped.h"

static bool is_mapping_of(const char *line, const struct stat *st)
{
	unsigned int dev_major, dev_minor;
	unsigned long long inode;
	char mode[8];

	return sscanf(line, "%*x-%*x %7s %*x %x:%x %llu", mode, &dev_major, &dev_minor, &inode) == 4 &&
	       mode[1] == 'w' && mode[3] == 's' && inode == st->st_ino &&
	       dev_major == major(st->st_dev) && dev_minor == minor(st->st_dev);
}

/* A path may be of any length and have any text: where it goes on is no line. */
bool mapped_in(FILE *maps, int fd)
{
	bool begins = true;
	char line[256];
	struct stat st;

	if (fstat(fd, &st))
		return false;
	while (fgets(line, sizeof(line), maps)) {
		if (begins && is_mapping_of(line, &st))
			return true;
		begins = strchr(line, '\n');
	}
	return false;
}

static bool has_mapped(pid_t pid, int fd)
{
	char path[64];
	FILE *maps;
	bool found;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	found = maps && mapped_in(maps, fd);
	if (maps)
		fclose(maps);
	return found;
}

static const char *name_of(int fd, char name[PATH_MAX])
{
	char link[64];
	ssize_t bytes;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	bytes = readlink(link, name, PATH_MAX - 1);
	name[bytes < 0 ? 0 : bytes] = 0;
	return name;
}

int mapped_check(const struct guest *guest, pid_t pid, struct fault *fault)
{
	char name[PATH_MAX];
	unsigned int i;

	for (i = 0; i < guest->regions; i++)
		if (!has_mapped(pid, guest->region[i].fd))
			return fail(fault, "region %s: QEMU (process %d) does not map %.250s: that is another guest's, or it was replaced or /dev/vmfastmig mounted anew since QEMU started",
				    guest->region[i].id, (int)pid,
				    name_of(guest->region[i].fd, name));
	return 0;
}

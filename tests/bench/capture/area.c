// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"
#include "region.h"

size_t bytes_of(const char *text)
{
	static const char units[] = "KMGT";
	char *end;
	size_t bytes = strtoull(text, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;

	if (end == text || (*end && (!unit || end[1])))
		errx(1, "%s is no size: a number, then perhaps K, M, G or T", text);
	return unit ? bytes << 10 * (unit - units + 1) : bytes;
}

size_t spread_block(size_t i, size_t count, size_t bytes)
{
	return i * (bytes / BLOCK_BYTES) / count * BLOCK_BYTES;
}

uint64_t roll(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

int open_memory(const char *kind, size_t bytes)
{
	int fd;

	if (!strcmp(kind, "memfd"))
		fd = memfd_create("capture", MFD_CLOEXEC);
	else if (!strcmp(kind, "hugetlb"))
		fd = memfd_create("capture", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	else
		fd = open(kind, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		err(1, "cannot make %s", kind);
	if (*kind == '/')
		unlink(kind);
	if (ftruncate(fd, bytes))
		err(1, "%s: no %zu bytes", kind, bytes);
	return fd;
}

char *map_memory(int fd, size_t bytes)
{
	char *area = region_map(fd, bytes);

	if (area == MAP_FAILED)
		err(1, "cannot map %zu bytes", bytes);
	return area;
}

/* The fields of smaps that stand for entries of 2 MiB. */
static size_t pmd_kib(const char *line)
{
	static const char *const fields[] = {
		"AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb",
	};
	char field[32];
	size_t kib, i;

	if (sscanf(line, "%31[^:]: %zu kB", field, &kib) != 2)
		return 0;
	for (i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (!strcmp(field, fields[i]))
			return kib;
	return 0;
}

size_t pmd_mapped_bytes(const char *area)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	uintptr_t from, to;
	size_t kib = 0;
	bool here = false;
	char line[512];

	if (!smaps)
		err(1, "/proc/self/smaps");
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			here = from == (uintptr_t)area;
		else if (here)
			kib += pmd_kib(line);
	}
	fclose(smaps);
	return kib << 10;
}

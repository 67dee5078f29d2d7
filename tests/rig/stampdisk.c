// SPDX-License-Identifier: GPL-2.0
/* Writes a disk image whose sectors the test guest recognises: stampdisk FILE MIB */
#include <stdio.h>
#include <stdlib.h>

#include "guest/sector.h"

#define MIB_SECTORS 2048

static int write_mib(FILE *f, uint64_t first)
{
	static char buf[MIB_SECTORS][SECTOR_BYTES];
	unsigned int i;

	for (i = 0; i < MIB_SECTORS; i++)
		sector_stamp(buf[i], first + i);
	return fwrite(buf, sizeof(buf), 1, f) == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
	unsigned int mib, i;
	FILE *f;

	if (argc != 3 || !(mib = atoi(argv[2]))) {
		fprintf(stderr, "usage: %s FILE MIB\n", argv[0]);
		return 64;
	}
	f = fopen(argv[1], "w");
	for (i = 0; f && i < mib; i++)
		if (write_mib(f, (uint64_t)i * MIB_SECTORS))
			break;
	if (!f || i < mib || fclose(f)) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}

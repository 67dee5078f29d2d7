// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"

void huge_set(char **argv)
{
	tracking_huge(atoi(argv[0]));
}

static const struct {
	const char *name, *usage;
	int arguments;
	void (*run)(char **argv);
} commands[] = {
	{ "process", "CASE memfd|hugetlb|FILE BYTES MS", 4, process_measure },
	{ "start", "CASE BYTES PRESENT 0|1", 4, start_measure },
	{ "rounds", "BYTES ROUNDS", 2, rounds_measure },
	{ "final", "CASE BYTES 0|1", 3, final_measure },
	{ "faults", "vmfastmig|soft-dirty THREADS apart|together ROUNDS", 4, faults_measure },
	{ "guest", "FILE BYTES_PER_S", 2, guest_track },
	{ "huge", "0|1", 1, huge_set },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (argc == commands[i].arguments + 2 && !strcmp(argv[1], commands[i].name)) {
			commands[i].run(argv + 2);
			return 0;
		}
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		fprintf(stderr, "capture %s %s\n", commands[i].name, commands[i].usage);
	return 2;
}

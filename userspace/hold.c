// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hold.h"

static bool is_held(const char *path, const char *stage)
{
	char line[64] = "";
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	if (fgets(line, sizeof(line), file))
		line[strcspn(line, "\n")] = 0;
	fclose(file);
	return !strcmp(line, stage);
}

void hold(const char *stage, int stop_fd)
{
	const char *path = getenv("VMFASTMIGD_HOLD");
	struct pollfd stop = { .fd = stop_fd, .events = POLLIN };

	while (path && is_held(path, stage) && poll(&stop, 1, 20) == 0)
		;
}

// SPDX-License-Identifier: GPL-2.0
/* What the kernel command line says: words like vmfm.dirty=8M. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

struct settings settings = {
	.ip = "10.77.2.10/24",
	.ws_bytes = 64 << 20,
	.cold_bytes = 32 << 20,
	.read_bytes = 64 << 10,
	.dirty_bytes_per_s = 8 << 20,
	.check_bytes_per_s = 32 << 20,
	.random = true,
	.readers = 4,
};

uint64_t parse_bytes(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	switch (*end) {
	case 'G': case 'g':
		return n << 30;
	case 'M': case 'm':
		return n << 20;
	case 'K': case 'k':
		return n << 10;
	}
	return n;
}

static void parse_word(const char *key, const char *value)
{
	if (!strcmp(key, "ip"))
		snprintf(settings.ip, sizeof(settings.ip), "%s", value);
	else if (!strcmp(key, "disk"))
		snprintf(settings.disk, sizeof(settings.disk), "%s", value);
	else if (!strcmp(key, "ws"))
		settings.ws_bytes = parse_bytes(value);
	else if (!strcmp(key, "cold"))
		settings.cold_bytes = parse_bytes(value);
	else if (!strcmp(key, "dirty"))
		settings.dirty_bytes_per_s = parse_bytes(value);
	else if (!strcmp(key, "check"))
		settings.check_bytes_per_s = parse_bytes(value);
	else if (!strcmp(key, "pattern"))
		settings.random = strcmp(value, "seq");
	else if (!strcmp(key, "writers"))
		settings.writers = atoi(value);
	else if (!strcmp(key, "readers"))
		settings.readers = atoi(value);
	else if (!strcmp(key, "read"))
		settings.read_bytes = parse_bytes(value);
	else
		say("unknown argument vmfm.%s", key);
}

void parse_args(void)
{
	static char line[4096];
	FILE *f = fopen("/proc/cmdline", "r");
	char *word, *value;

	settings.writers = sysconf(_SC_NPROCESSORS_ONLN);
	if (!f || !fgets(line, sizeof(line), f))
		return;
	fclose(f);
	for (word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
		value = strchr(word, '=');
		if (strncmp(word, "vmfm.", 5) || !value)
			continue;
		*value = 0;
		parse_word(word + 5, value + 1);
	}
}

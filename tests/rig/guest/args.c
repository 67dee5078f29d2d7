// SPDX-License-Identifier: GPL-2.0
/* What the kernel command line says: words like vmfm.dirty=8M. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"
#include "responder/size.h"

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

static void set_bytes(const char *text, uint64_t *bytes)
{
	struct fault fault;

	if (size_parse(text, bytes, &fault))
		say("%s", fault.text);
}

static void set_rate(const char *text, atomic_ullong *bytes_per_s)
{
	struct fault fault;

	if (pace_parse(text, bytes_per_s, &fault))
		say("%s", fault.text);
}

static void parse_word(const char *key, const char *value)
{
	if (!strcmp(key, "ip"))
		snprintf(settings.ip, sizeof(settings.ip), "%s", value);
	else if (!strcmp(key, "disk"))
		snprintf(settings.disk, sizeof(settings.disk), "%s", value);
	else if (!strcmp(key, "exec"))
		snprintf(settings.exec, sizeof(settings.exec), "%s", value);
	else if (!strcmp(key, "ws"))
		set_bytes(value, &settings.ws_bytes);
	else if (!strcmp(key, "cold"))
		set_bytes(value, &settings.cold_bytes);
	else if (!strcmp(key, "dirty"))
		set_rate(value, &settings.dirty_bytes_per_s);
	else if (!strcmp(key, "check"))
		set_rate(value, &settings.check_bytes_per_s);
	else if (!strcmp(key, "pattern"))
		settings.random = strcmp(value, "seq");
	else if (!strcmp(key, "writers"))
		settings.writers = atoi(value);
	else if (!strcmp(key, "readers"))
		settings.readers = atoi(value);
	else if (!strcmp(key, "read"))
		set_bytes(value, &settings.read_bytes);
	else if (!strcmp(key, "nested"))
		set_bytes(value, &settings.nested_bytes);
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

// SPDX-License-Identifier: GPL-2.0-only
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "arguments.h"

bool arguments_item(const char **at, char *item, size_t room)
{
	size_t used = 0;

	if (!**at)
		return false;
	for (; **at && (**at != ',' || (*at)[1] == ','); ++*at) {
		if (**at == ',')
			++*at;
		if (used + 1 < room)
			item[used++] = **at;
	}
	item[used] = 0;
	if (**at)
		++*at;
	return true;
}

bool arguments_value(const char *list, const char *key, bool first, char *value, size_t room)
{
	char item[PATH_MAX + 64];
	size_t length = strlen(key);

	while (arguments_item(&list, item, sizeof(item))) {
		if (!strncmp(item, key, length) && item[length] == '=')
			return snprintf(value, room, "%s", item + length + 1) < (int)room;
		if (first && !strchr(item, '='))
			return snprintf(value, room, "%s", item) < (int)room;
		first = false;
	}
	return false;
}

static const char *option_name(const char *argument)
{
	if (*argument != '-')
		return "";
	return argument + 1 + (argument[1] == '-');
}

const char *arguments_next(struct arguments *left, const char **value)
{
	const char *name = left->at, *behind;

	if (name >= left->end)
		return NULL;
	behind = name + strlen(name) + 1;
	left->at = behind;
	*value = behind < left->end ? behind : "";
	return option_name(name);
}

struct arguments arguments_read(pid_t pid, char *room)
{
	char path[64];
	size_t bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	file = fopen(path, "re");
	if (file) {
		bytes = fread(room, 1, ARGUMENTS_BYTES - 1, file);
		fclose(file);
	}
	room[bytes] = 0;
	return (struct arguments){ room, room + bytes };
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line of a QEMU that runs, and the lists of options on it. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ARGUMENTS_BYTES	(1 << 20)

/* NUL-terminated, one after the other. */
struct arguments {
	const char *at, *end;
};

/* The process's, into @room of ARGUMENTS_BYTES. None where it cannot be read. */
struct arguments arguments_read(pid_t pid, char *room);
/* The name of the next option, and what follows it; NULL at the end. */
const char *arguments_next(struct arguments *left, const char **value);

/* One of QEMU's lists "word,key=value,...": the next item, a comma in it being doubled. */
bool arguments_item(const char **at, char *item, size_t room);
/* The value of @key in @list, or of the first item where that has none and @first. */
bool arguments_value(const char *list, const char *key, bool first, char *value, size_t room);

#endif

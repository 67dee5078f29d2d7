/* SPDX-License-Identifier: GPL-2.0-only */
/* QMP messages as texts: whatever is in them stays as it was written. */
#ifndef MONITOR_MESSAGE_H
#define MONITOR_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Of an object's text; @key without its quotes. */
struct member {
	const char *key, *value;
	size_t key_bytes, value_bytes;
};

/*
 * The first member or, with @member as it was answered, the next one. Only for
 * texts that are JSON objects.
 */
bool message_next(const char *text, struct member *member);
bool message_find(const char *text, const char *key, struct member *member);

/* The same message with @id, JSON, or NULL for none. Caller's; NULL: no memory. */
char *message_with_id(const char *text, const char *id);

/* What QEMU would say of a request that is not one, or NULL; @why holds it. */
const char *message_wrong(json_t *object, bool oob, char *why, size_t bytes);

/* Texts of answers without an id; the caller's. message_return() takes over @value. */
char *message_return(json_t *value);
char *message_error(const char *class, const char *desc);

#endif

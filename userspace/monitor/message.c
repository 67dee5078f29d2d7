// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

#define BLANKS " \t\r\n"

static const char *string_end(const char *at)
{
	for (at++; *at && *at != '"'; at++)
		if (*at == '\\' && at[1])
			at++;
	return *at ? at + 1 : at;
}

static const char *value_end(const char *at)
{
	int depth = 0;

	for (; *at; at++) {
		if (*at == '"') {
			at = string_end(at) - 1;
		} else if (*at == '{' || *at == '[') {
			depth++;
		} else if (*at == '}' || *at == ']') {
			if (!depth--)
				break;
		} else if (*at == ',' && !depth) {
			break;
		}
	}
	return at;
}

bool message_next(const char *text, struct member *member)
{
	const char *at = member->key ? member->value + member->value_bytes : strchr(text, '{');

	if (!at || !*at || (member->key && *at != ','))
		return false;
	at += 1 + strspn(at + 1, BLANKS);
	if (*at != '"')
		return false;
	member->key = at + 1;
	at = string_end(at);
	member->key_bytes = at - member->key - 1;
	at += strspn(at, BLANKS ":");
	member->value = at;
	member->value_bytes = value_end(at) - at;
	return true;
}

static bool is_key(const struct member *member, const char *key)
{
	return member->key_bytes == strlen(key) && !memcmp(member->key, key, member->key_bytes);
}

bool message_find(const char *text, const char *key, struct member *member)
{
	*member = (struct member){ 0 };
	while (message_next(text, member))
		if (is_key(member, key))
			return true;
	return false;
}

char *message_with_id(const char *text, const char *id)
{
	char *made = malloc(strlen(text) + (id ? strlen(id) : 0) + 16), *to = made;
	struct member member = { 0 };

	if (!made)
		return NULL;
	*to++ = '{';
	while (message_next(text, &member)) {
		const char *end = member.value + member.value_bytes;

		if (is_key(&member, "id"))
			continue;
		if (to > made + 1)
			to = stpcpy(to, ", ");
		to = mempcpy(to, member.key - 1, end - member.key + 1);
	}
	if (id)
		to += sprintf(to, "%s\"id\": %s", to > made + 1 ? ", " : "", id);
	strcpy(to, "}");
	return made;
}

static const char *unexpected(const char *key, char *why, size_t bytes)
{
	snprintf(why, bytes, "QMP input member '%s' is unexpected", key);
	return why;
}

const char *message_wrong(json_t *object, bool oob, char *why, size_t bytes)
{
	const char *command = NULL, *key;
	json_t *value;

	if (!json_is_object(object))
		return "QMP input must be a JSON object";
	json_object_foreach(object, key, value) {
		if (!strcmp(key, "execute") || (!strcmp(key, "exec-oob") && oob)) {
			if (command) {
				return "QMP input member 'exec-oob' clashes with 'execute'";
			} else if (!json_is_string(value)) {
				snprintf(why, bytes, "QMP input member '%s' must be a string", key);
				return why;
			}
			command = key;
		} else if (!strcmp(key, "arguments")) {
			if (!json_is_object(value))
				return "QMP input member 'arguments' must be an object";
		} else if (strcmp(key, "id")) {
			return unexpected(key, why, bytes);
		}
	}
	return command ? NULL : "QMP input lacks member 'execute'";
}

static char *dump(json_t *object)
{
	char *text = object ? json_dumps(object, 0) : NULL;

	json_decref(object);
	return text;
}

char *message_return(json_t *value)
{
	return dump(json_pack("{s:o}", "return", value));
}

char *message_error(const char *class, const char *desc)
{
	return dump(json_pack("{s:{s:s,s:s}}", "error", "class", class, "desc", desc));
}

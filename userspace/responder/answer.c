// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "answer.h"

#define SEQ_DIGITS 20

typedef unsigned long long ull;

static int tell_echo(const struct answers *answers, const char *seq, struct text *text,
		     struct fault *fault)
{
	struct facts f = { 0 };

	if (!seq || !*seq || strlen(seq) > SEQ_DIGITS || seq[strspn(seq, "0123456789")])
		return fail(fault, "echo needs a number");
	answers->facts(&f);
	text_add(text, "echo %s %llu %llu %llu %llu %llu\n", seq, (ull)f.clock_us,
		 (ull)(f.errors + f.disk_errors), (ull)f.work, (ull)f.ticks,
		 (ull)f.longest_jump_us);
	return 0;
}

static int tell_status(const struct answers *answers, struct text *text)
{
	struct facts f = { 0 };

	answers->facts(&f);
	text_add(text, "{\"ready\":%s,\"uptime_ms\":%llu,\"ticks\":%llu,\"longest_jump_us\":%llu,"
		 "\"work\":%llu,\"errors\":%llu", f.ready ? "true" : "false",
		 (ull)f.clock_us / 1000, (ull)f.ticks, (ull)f.longest_jump_us, (ull)f.work,
		 (ull)f.errors);
	answers->status(text);
	text_add(text, "}\n");
	return 0;
}

static int refuse(const struct answers *answers, struct fault *fault)
{
	char known[256];
	struct text text = { known, sizeof(known), 0, false };
	const struct request *r;

	text_add(&text, "echo SEQ, status, reset");
	for (r = answers->requests; r->name; r++)
		text_add(&text, ", %s", r->usage);
	return fail(fault, "not a request; these are: %s", known);
}

static int obey(const struct answers *answers, const char *name, const char *argument,
		struct text *text, struct fault *fault)
{
	const struct request *r;

	if (!strcmp(name, "echo"))
		return tell_echo(answers, argument, text, fault);
	if (!strcmp(name, "status") && !argument)
		return tell_status(answers, text);
	if (!strcmp(name, "reset") && !argument) {
		tell_status(answers, text);
		answers->reset();
		return 0;
	}
	for (r = answers->requests; r->name; r++)
		if (!strcmp(name, r->name))
			return r->obey(argument, fault) ? -1 : tell_status(answers, text);
	return refuse(answers, fault);
}

static bool is_text(const char *line, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		if (line[i] < ' ' || line[i] > '~')
			return false;
	return true;
}

size_t answer(const struct answers *answers, const char *line, size_t bytes, char to[ANSWER_BYTES])
{
	struct text text = { to, ANSWER_BYTES, 0, false };
	char request[LINE_BYTES], *argument;
	struct fault fault;

	while (bytes && (line[bytes - 1] == '\n' || line[bytes - 1] == '\r'))
		bytes--;
	if (bytes >= sizeof(request))
		return answer_error("the line is too long", to);
	if (!is_text(line, bytes))
		return answer_error("the line is not printable ASCII", to);
	memcpy(request, line, bytes);
	request[bytes] = 0;
	argument = strchr(request, ' ');
	if (argument)
		*argument++ = 0;
	if (obey(answers, request, argument, &text, &fault))
		return answer_error(fault.text, to);
	return text.cut ? answer_error("the answer is too long", to) : text.used;
}

size_t answer_error(const char *why, char to[ANSWER_BYTES])
{
	char *at;
	int n = snprintf(to, ANSWER_BYTES, "{\"error\":\"%.512s\"}\n", why);

	/* The reason is ASCII of ours, or holds what was asked. */
	for (at = to + strlen("{\"error\":\""); at < to + n - strlen("\"}\n"); at++)
		if (*at < ' ' || *at == '"' || *at == '\\')
			*at = '?';
	return n;
}

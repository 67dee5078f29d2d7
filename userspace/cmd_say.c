// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

#define JSON_FORM (JSON_COMPACT | JSON_REAL_PRECISION(9))

/* Also those of the C1 set, which in UTF-8 are C2 80 to C2 9F. */
void cmd_disarm(char *text)
{
	unsigned char *at = (unsigned char *)text;

	for (; *at; at++) {
		if (*at < ' ' || *at == 127)
			*at = '?';
		else if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
			at[0] = at[1] = '?';
	}
}

void cmd_say(FILE *stream, const char *format, ...)
{
	va_list args;
	char *text;
	int bytes;

	va_start(args, format);
	bytes = vasprintf(&text, format, args);
	va_end(args);
	if (bytes < 0)
		return;
	cmd_disarm(text);
	fprintf(stream, "%s\n", text);
	free(text);
}

void cmd_say_error(const struct cmd_args *args, const char *text)
{
	json_t *object;

	cmd_say(stderr, "vmfastmig: %s", text);
	if (!args->json && !args->json_file)
		return;
	object = json_pack("{s:b,s:s}", "completed", 0, "error", text);
	cmd_put_json(args, object);
	json_decref(object);
}

int cmd_put_json(const struct cmd_args *args, const json_t *object)
{
	int err = 0;

	if (args->json) {
		err = json_dumpf(object, stdout, JSON_FORM);
		putchar('\n');
		err |= fflush(stdout);
	}
	if (args->json_file) {
		err |= json_dumpf(object, args->json_file, JSON_FORM);
		fputc('\n', args->json_file);
		err |= fflush(args->json_file);
	}
	if (err)
		cmd_say(stderr, "vmfastmig: cannot write the JSON result");
	return err ? -1 : 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* The subcommands of vmfastmig, and what they share: arguments, output, following. */
#ifndef CMD_H
#define CMD_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include "fault.h"

/* Exit statuses. */
enum { CMD_OK, CMD_FAILED, CMD_USAGE };

int cmd_migrate(int argc, char **argv);
int cmd_incoming(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_cancel(int argc, char **argv);
int cmd_set(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_regions(int argc, char **argv);
int cmd_downtime(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_stream(int argc, char **argv);
int cmd_agent(int argc, char **argv);
int cmd_monitor(int argc, char **argv);
int cmd_virsh_listen(int argc, char **argv);
int cmd_virsh_migrate(int argc, char **argv);

/* cmd_args.c */

struct cmd_args {
	const char *command;
	const char *socket, *listen, *connect, *desturi;
	char qmp[PATH_MAX];
	bool json, detach;
	FILE *json_file;	/* gets the result, too */
	json_t *options;	/* of the URI, given as flags */
	int count;
	char **rest;
};

enum cmd_take {
	CMD_TAKE_QMP = 1,	/* needed then, and with it a URI */
	CMD_TAKE_DETACH = 2,
	CMD_TAKE_OPTIONS = 4,	/* those of the URI */
	CMD_TAKE_SOCKET = 8,
	CMD_TAKE_JSON_FILE = 16,
	CMD_TAKE_ID = 32,	/* at most one operand */
	CMD_FINDS_QMP = 64,	/* does not need it */
	CMD_TAKE_LISTEN = 128,	/* needed then, and with it a monitor; and --connect */
	CMD_TAKE_DOMAIN = 256,	/* libvirt's, needed then, and with it a URI or its host */
	CMD_TAKE_VIRSH = 512,	/* and what virsh gets */
};

/* CMD_OK, or CMD_USAGE when the error was told. cmd_args_free() in either case. */
int cmd_args_parse(struct cmd_args *args, int argc, char **argv, unsigned int take);
void cmd_args_free(struct cmd_args *args);
/* The request for the daemon: command, monitor, URI, options. */
json_t *cmd_args_request(const struct cmd_args *args);

/* cmd_say.c */

/* A line; control characters in it, which may be a stranger's, come out as '?'. */
__attribute__((format(printf, 2, 3)))
void cmd_say(FILE *stream, const char *format, ...);
void cmd_disarm(char *text);
/* Error @text on standard error, and as an object where --json wants one. */
void cmd_say_error(const struct cmd_args *args, const char *text);
/* Where --json and --json-file want it. */
int cmd_put_json(const struct cmd_args *args, const json_t *object);

static inline const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static inline json_int_t int_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* cmd_progress.c */

struct progress {
	bool quiet, live;	/* live: one line that is drawn anew */
	double start_s, phase_s;
	char phase[32];
	json_int_t round;
	bool round_due;		/* a round ended and was not told yet */
};

void progress_init(struct progress *progress, bool quiet);
void progress_show(struct progress *progress, const json_t *state);
void progress_end(struct progress *progress);
/* As a table tells it: percent, round, rate. */
void progress_text(const json_t *state, char *text, size_t bytes);

/* cmd_follow.c */

enum cmd_follow_how {
	CMD_FOLLOW_CANCELS = 1,	/* the first interrupt asks for cancellation, the second leaves */
	CMD_FOLLOW_QUIET = 2,	/* shows no states; so does --json */
};

/*
 * Sends the request and follows it up to the result, which is the caller's.
 * NULL on failure. Takes over @request.
 */
json_t *cmd_follow(const struct cmd_args *args, json_t *request, unsigned int how,
		   struct fault *fault);

/* cmd_result.c */

/* Tells a migration's result (may be NULL: @fault then); the exit status. */
int cmd_result(const struct cmd_args *args, const json_t *result, const struct fault *fault);

/* cmd_pick.c */

/* The id in the operand, else of the only migration. CMD_OK or the exit status, told. */
int cmd_pick(const struct cmd_args *args, json_int_t *id);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* downtime: measures a migration, ours or not, from outside. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cmd.h"
#include "downtime/csv.h"
#include "downtime/measure.h"
#include "downtime/plot.h"
#include "downtime/show.h"

enum {
	SOURCE_QMP = 256, DEST_QMP, SOURCE_DAEMON_QMP, DEST_DAEMON_QMP, URI, INCOMING_URI, GUEST,
	NO_UDP, TCP, RATE, TCP_RATE, GAP, BEFORE, AFTER, TIMEOUT, CPU, RSH, REMOTE_PROGRAM, OBSERVE,
	POSTCOPY, CAPABILITY, SOURCE_CAPABILITY, PARAMETER, SOURCE_PARAMETER, JSON, JSON_FILE, CSV,
	PLOTS,
};

static const struct option flags[] = {
	{ "guest", required_argument, NULL, GUEST },
	{ "source-qmp", required_argument, NULL, SOURCE_QMP },
	{ "dest-qmp", required_argument, NULL, DEST_QMP },
	{ "source-daemon-qmp", required_argument, NULL, SOURCE_DAEMON_QMP },
	{ "dest-daemon-qmp", required_argument, NULL, DEST_DAEMON_QMP },
	{ "uri", required_argument, NULL, URI },
	{ "incoming-uri", required_argument, NULL, INCOMING_URI },
	{ "observe", no_argument, NULL, OBSERVE },
	{ "postcopy", no_argument, NULL, POSTCOPY },
	{ "capability", required_argument, NULL, CAPABILITY },
	{ "source-capability", required_argument, NULL, SOURCE_CAPABILITY },
	{ "parameter", required_argument, NULL, PARAMETER },
	{ "source-parameter", required_argument, NULL, SOURCE_PARAMETER },
	{ "no-udp", no_argument, NULL, NO_UDP },
	{ "tcp", no_argument, NULL, TCP },
	{ "rate", required_argument, NULL, RATE },
	{ "tcp-rate", required_argument, NULL, TCP_RATE },
	{ "gap", required_argument, NULL, GAP },
	{ "before", required_argument, NULL, BEFORE },
	{ "after", required_argument, NULL, AFTER },
	{ "timeout", required_argument, NULL, TIMEOUT },
	{ "cpu", required_argument, NULL, CPU },
	{ "rsh", required_argument, NULL, RSH },
	{ "remote-program", required_argument, NULL, REMOTE_PROGRAM },
	{ "json", no_argument, NULL, JSON },
	{ "json-file", required_argument, NULL, JSON_FILE },
	{ "csv", required_argument, NULL, CSV },
	{ "plots", required_argument, NULL, PLOTS },
	{ NULL, 0, NULL, 0 },
};

struct arguments {
	struct measure_options options;
	struct cmd_args out;		/* where the result goes */
	const char *csv, *plots;
	bool observe;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

static int parse_number(const char *flag, const char *text, double least, double most,
			double *number, struct fault *fault)
{
	char *end;

	*number = strtod(text, &end);
	if (end == text || *end || !isfinite(*number) || *number < least || *number > most)
		return fail(fault, "--%s %s: a number from %g to %g is wanted", flag, text, least,
			    most);
	return 0;
}

static int parse_count(const char *flag, const char *text, int least, int most, int *count,
		       struct fault *fault)
{
	double number;

	if (parse_number(flag, text, least, most, &number, fault))
		return -1;
	*count = number;
	return 0;
}

/* As QMP wants it: a number, true or false, else text. */
static json_t *parse_value(const char *text)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (*text && !*end && !errno)
		return json_integer(number);
	if (!strcmp(text, "true") || !strcmp(text, "false"))
		return json_boolean(!strcmp(text, "true"));
	return json_string(text);
}

/* NAME or NAME=VALUE, for the source and, unless @source_only, the destination. */
static int add_setting(json_t *both[2], const char *flag, char *text, bool source_only,
		       struct fault *fault)
{
	char *value = strchr(text, '=');
	json_t *parsed;

	if (value)
		*value++ = 0;
	parsed = value ? parse_value(value) : json_true();
	if (!*text || !parsed || json_object_set(both[WHERE_SOURCE], text, parsed) ||
	    (!source_only && json_object_set(both[WHERE_DESTINATION], text, parsed))) {
		json_decref(parsed);
		return fail(fault, "--%s: what is \"%s\"?", flag, text);
	}
	json_decref(parsed);
	return 0;
}

static int set_number(struct measure_options *options, int flag, const char *name,
		      struct fault *fault)
{
	int count = 0, err;

	switch (flag) {
	case RATE:
		err = parse_count(name, optarg, 1, 100000, &count, fault);
		options->hz = count;
		return err;
	case TCP_RATE:
		err = parse_count(name, optarg, 1, 100000, &count, fault);
		options->tcp_hz = count;
		return err;
	case CPU:
		return parse_count(name, optarg, 0, 65535, &options->cpu, fault);
	case GAP:
		return parse_number(name, optarg, 0.001, 1e6, &options->gap_ms, fault);
	case BEFORE:
		return parse_number(name, optarg, 0, 3600, &options->before_s, fault);
	case AFTER:
		return parse_number(name, optarg, 0, 3600, &options->after_s, fault);
	default:
		return parse_number(name, optarg, 0, 1e6, &options->timeout_s, fault);
	}
}

static int set_json_file(struct arguments *args, struct fault *fault)
{
	if (args->out.json_file)
		fclose(args->out.json_file);
	args->out.json_file = fopen(optarg, "we");
	return args->out.json_file ? 0 : fail(fault, "--json-file %s: %s", optarg, strerror(errno));
}

static int set_flag(struct arguments *args, int flag, const char *name, struct fault *fault)
{
	struct measure_options *options = &args->options;

	switch (flag) {
	case GUEST: options->guest = optarg; return 0;
	case SOURCE_QMP: options->qmp[WHERE_SOURCE] = optarg; return 0;
	case DEST_QMP: options->qmp[WHERE_DESTINATION] = optarg; return 0;
	case SOURCE_DAEMON_QMP: options->daemon_qmp[WHERE_SOURCE] = optarg; return 0;
	case DEST_DAEMON_QMP: options->daemon_qmp[WHERE_DESTINATION] = optarg; return 0;
	case URI: options->uri = optarg; return 0;
	case INCOMING_URI: options->incoming_uri = optarg; return 0;
	case OBSERVE: args->observe = true; return 0;
	case POSTCOPY: options->postcopy = true; return 0;
	case NO_UDP: options->udp = false; return 0;
	case TCP: options->tcp = true; return 0;
	case RSH: options->rsh = optarg; return 0;
	case REMOTE_PROGRAM: options->remote_program = optarg; return 0;
	case JSON: args->out.json = true; return 0;
	case JSON_FILE: return set_json_file(args, fault);
	case CSV: args->csv = optarg; return 0;
	case PLOTS: args->plots = optarg; return 0;
	case CAPABILITY:
	case SOURCE_CAPABILITY:
		return add_setting(options->capabilities, name, optarg, flag == SOURCE_CAPABILITY,
				   fault);
	case PARAMETER:
	case SOURCE_PARAMETER:
		return add_setting(options->parameters, name, optarg, flag == SOURCE_PARAMETER,
				   fault);
	default:
		return set_number(options, flag, name, fault);
	}
}

static int check(const struct arguments *args, struct fault *fault)
{
	const struct measure_options *options = &args->options;

	if (!args->observe && !options->uri)
		return fail(fault, "which migration? --uri URI, or --observe somebody else's");
	if (args->observe && options->uri)
		return fail(fault, "--observe and --uri: either one");
	if ((!options->uri || !strncasecmp(options->uri, "rdmafast:", 9)) &&
	    (options->postcopy || json_object_size(options->capabilities[WHERE_SOURCE]) ||
	     json_object_size(options->parameters[WHERE_SOURCE])))
		return fail(fault, "capabilities, parameters and post-copy are QEMU's own migrations': not with --observe or rdmafast:, whose options are in the URI");
	if (!options->guest && !options->qmp[0] && !options->qmp[1])
		return fail(fault, "nothing to watch: --guest ADDRESS, --source-qmp [HOST:]PATH, --dest-qmp [HOST:]PATH");
	if (options->guest && !options->udp && !options->tcp)
		return fail(fault, "--no-udp without --tcp leaves no probe");
	return 0;
}

static void set_defaults(struct arguments *args)
{
	int where;

	*args = (struct arguments){
		.options = { .udp = true, .hz = 1000, .tcp_hz = 100, .cpu = -1, .gap_ms = 20,
			     .before_s = 5, .after_s = 5, .rsh = "ssh",
			     .remote_program = "vmfastmig" },
		.out.command = "downtime",
	};
	for (where = 0; where < 2; where++) {
		args->options.capabilities[where] = json_object();
		args->options.parameters[where] = json_object();
	}
}

/* They go into JSON. */
static int check_utf8(char **argv, struct fault *fault)
{
	for (; *argv; argv++)
		if (text_to_utf8(*argv))
			return fail(fault, "%s: not UTF-8", *argv);
	return 0;
}

static int parse(struct arguments *args, int argc, char **argv)
{
	static char program[] = "vmfastmig";
	struct fault fault;
	int flag, index = 0, err;

	set_defaults(args);
	argv[0] = program;	/* getopt's errors begin with it */
	err = check_utf8(argv, &fault);
	while (!err && (flag = getopt_long(argc, argv, "", flags, &index)) != -1) {
		if (flag == '?')
			return CMD_USAGE;
		err = set_flag(args, flag, flags[index].name, &fault);
	}
	if (!err && optind < argc)
		err = fail(&fault, "what is %s?", argv[optind]);
	if (!err && !check(args, &fault))
		return CMD_OK;
	cmd_say_error(&args->out, fault.text);
	return CMD_USAGE;
}

static int tell(struct arguments *args, struct measure *measure, const json_t *result)
{
	const struct series *udp = measure_series(measure, false), *tcp = measure_series(measure, true);
	struct fault fault;
	int err = 0;

	if (!args->out.json)
		show_print(stdout, result);
	if (cmd_put_json(&args->out, result))
		err = -1;
	if (args->csv && csv_write(args->csv, result, udp, tcp, &fault)) {
		cmd_say(stderr, "vmfastmig: %s", fault.text);
		err = -1;
	}
	if (args->plots && plot_write(args->plots, result, udp, tcp, &fault)) {
		cmd_say(stderr, "vmfastmig: %s", fault.text);
		err = -1;
	}
	return err;
}

static int run(struct arguments *args)
{
	static struct measure measure;
	struct sigaction action = { .sa_handler = on_signal };
	struct fault fault;
	json_t *result;
	int err;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	err = measure_run(&measure, &args->options, &interrupted, &result, &fault);
	if (err)
		cmd_say(stderr, "vmfastmig: %s", fault.text);
	if (tell(args, &measure, result))
		err = -1;
	json_decref(result);
	measure_free(&measure);
	return err ? CMD_FAILED : CMD_OK;
}

int cmd_downtime(int argc, char **argv)
{
	struct arguments args;
	int where, status = parse(&args, argc, argv);

	if (!status)
		status = run(&args);
	for (where = 0; where < 2; where++) {
		json_decref(args.options.capabilities[where]);
		json_decref(args.options.parameters[where]);
	}
	if (args.out.json_file)
		fclose(args.out.json_file);
	return status;
}

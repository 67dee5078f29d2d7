// SPDX-License-Identifier: GPL-2.0-only
/* compare: what several runs of downtime measured, side by side. */
#include <getopt.h>
#include <string.h>

#include "cmd.h"
#include "downtime/plot.h"

#define RESULTS	64
#define ROW	"%-28s %10s %10s %10s %11s"

struct compared {
	struct cmd_args out;
	const char *plots;
	unsigned int count;
	const char *labels[RESULTS];
	json_t *results[RESULTS];
};

static json_t *find(const json_t *result, const char *const path[])
{
	json_t *value = (json_t *)result;

	for (; *path; path++)
		value = json_object_get(value, *path);
	return value;
}

/* A dash for what was not measured. */
static void number_text(const json_t *value, int digits, char *text, size_t bytes)
{
	snprintf(text, bytes, json_is_number(value) ? "%.*f" : "-", digits, json_number_value(value));
}

/* From the order to migrate up to the end, as the observer saw them. */
static void seconds_text(const json_t *result, char *text, size_t bytes)
{
	const json_t *from = json_object_get(result, "migrate_ns");
	const json_t *to = json_object_get(result, "end_ns");

	snprintf(text, bytes, json_is_integer(from) && json_is_integer(to) ? "%.2f" : "-",
		 (json_integer_value(to) - json_integer_value(from)) / 1e9);
}

static void tell_row(const char *label, const json_t *result)
{
	static const char *const client[] = { "client", "udp", "longest_gap", "ms", NULL };
	static const char *const qemu[] = { "qemu", "downtime_ms", NULL };
	static const char *const ratio[] = { "guest", "throughput", "ratio", NULL };
	char by_client[32], by_qemu[32], total_s[32], throughput[32];

	number_text(find(result, client), 1, by_client, sizeof(by_client));
	number_text(find(result, qemu), 1, by_qemu, sizeof(by_qemu));
	seconds_text(result, total_s, sizeof(total_s));
	number_text(find(result, ratio), 2, throughput, sizeof(throughput));
	cmd_say(stdout, ROW, label, by_client, by_qemu, total_s, throughput);
}

static void tell_table(const struct compared *compared)
{
	unsigned int i;

	cmd_say(stdout, ROW, "MIGRATION", "CLIENT ms", "QEMU ms", "TOTAL s", "THROUGHPUT");
	for (i = 0; i < compared->count; i++)
		tell_row(compared->labels[i], compared->results[i]);
}

static int tell_json(const struct compared *compared)
{
	json_t *list = json_array(), *object;
	unsigned int i;
	int err;

	for (i = 0; i < compared->count; i++)
		json_array_append_new(list, json_pack("{s:s,s:O}", "label", compared->labels[i],
						      "result", compared->results[i]));
	object = json_pack("{s:o}", "compared", list);
	err = cmd_put_json(&compared->out, object);
	json_decref(object);
	return err;
}

/* LABEL=FILE, or FILE, which is its own label. */
static int load(struct compared *compared, char *operand, struct fault *fault)
{
	char *file = strchr(operand, '=');
	json_error_t error;
	json_t *result;

	if (compared->count == RESULTS)
		return fail(fault, "more than %d results", RESULTS);
	if (file)
		*file++ = 0;
	else
		file = operand;
	if (text_to_utf8(operand))
		return fail(fault, "%s: not UTF-8", operand);
	result = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
	if (!result)
		return fail(fault, "%s: %s", file, error.text);
	compared->labels[compared->count] = operand;
	compared->results[compared->count++] = result;
	if (!json_object_get(result, "client") || !json_object_get(result, "marks"))
		return fail(fault, "%s is no result of vmfastmig downtime --json", file);
	return 0;
}

static int draw(const struct compared *compared, struct fault *fault)
{
	return plot_parts(compared->plots, compared->labels,
			  (const json_t *const *)compared->results, compared->count, fault);
}

static int parse(struct compared *compared, int argc, char **argv)
{
	static const struct option flags[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "plots", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	static char program[] = "vmfastmig";
	struct fault fault;
	int flag;

	argv[0] = program;	/* getopt's errors begin with it */
	while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
		if (flag == 'j')
			compared->out.json = true;
		else if (flag == 'p')
			compared->plots = optarg;
		else
			return CMD_USAGE;
	}
	if (optind == argc) {
		cmd_say_error(&compared->out, "which results? LABEL=FILE...");
		return CMD_USAGE;
	}
	for (; optind < argc; optind++) {
		if (!load(compared, argv[optind], &fault))
			continue;
		cmd_say_error(&compared->out, fault.text);
		return CMD_FAILED;
	}
	return CMD_OK;
}

int cmd_compare(int argc, char **argv)
{
	struct compared compared = { .count = 0 };
	struct fault fault;
	int status = parse(&compared, argc, argv);

	if (!status && !compared.out.json)
		tell_table(&compared);
	if (!status && tell_json(&compared))
		status = CMD_FAILED;
	if (!status && compared.plots && draw(&compared, &fault) < 0) {
		cmd_say(stderr, "vmfastmig: %s", fault.text);
		status = CMD_FAILED;
	}
	while (compared.count)
		json_decref(compared.results[--compared.count]);
	return status;
}

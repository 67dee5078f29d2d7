// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "cmd.h"

static double real_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/* What the source tells when all is done. */
static void tell_summary(const json_t *result)
{
	const json_t *ram = json_object_get(result, "ram");
	const json_t *downtime = json_object_get(result, "downtime_ms");
	double sent_bytes = (double)int_of(ram, "bytes_sent"), total_ms = real_of(result, "total_ms");

	cmd_say(stdout, "completed: %s", text_of(result, "uri"));
	cmd_say(stdout, "  rounds    %zu", json_array_size(json_object_get(result, "rounds")));
	cmd_say(stdout, "  sent      %.1f MiB in %lld work requests", sent_bytes / (1 << 20),
		(long long)int_of(ram, "work_requests"));
	if (real_of(downtime, "window") > 0)
		cmd_say(stdout, "  downtime  %.0f ms by QEMU, %.0f ms from stop to resume as seen here",
			real_of(downtime, "qemu"), real_of(downtime, "window"));
	else
		cmd_say(stdout, "  downtime  is for libvirt to tell: virsh domjobinfo --completed");
	cmd_say(stdout, "  time      %.2f s", total_ms / 1e3);
	if (int_of(json_object_get(result, "pace"), "bytes_s"))
		cmd_say(stdout, "  paced     to %.1f MB/s at last; its writes waited %.0f ms in all",
			(double)int_of(json_object_get(result, "pace"), "bytes_s") / 1e6,
			real_of(json_object_get(result, "pace"), "waited_ms"));
	cmd_say(stdout, "  rate      %.0f Mb/s in the first round, %.0f Mb/s overall",
		real_of(result, "bulk_mbps"), total_ms > 0 ? sent_bytes * 8 / total_ms / 1e3 : 0);
}

static void tell_completed(const char *command, const json_t *result)
{
	long long id = int_of(result, "id");

	if (json_is_true(json_object_get(result, "started")))
		cmd_say(stdout, "%s; to follow it: vmfastmig watch %lld", strcmp(command, "incoming") ?
			"started" : "registered, waits for its guest", id);
	else if (json_object_get(result, "rounds"))
		tell_summary(result);
	else if (json_object_get(result, "checks"))
		cmd_say(stdout, "all checks passed");
	else
		cmd_say(stdout, "completed: the guest is %s here", text_of(result, "guest"));
}

/* Where the guest is, from the word the daemon has for it. */
static const char *whereabouts(const char *guest)
{
	static const struct {
		const char *word, *meaning;
	} words[] = {
		{ "running", "the guest runs here" },
		{ "paused", "the guest is still here, paused" },
		{ "left to libvirt", "libvirt runs the guest here, or ends what it began: virsh domstate" },
		{ "not touched", "the guest was not touched" },
		{ "unknown", "where the guest is cannot be told: its monitor does not answer; ask its QEMU before you cont or quit it" },
		{ "gone", "the guest is gone: its QEMU does not answer any more" },
		{ "given away", "the guest does not run here any more: it may run on the destination" },
		{ "postmigrate", "the guest is stopped here, after a migration: cont it only if it runs nowhere else" },
		{ "committed", "the guest is here now, and may need cont" },
		{ "its QEMU was told to quit", "the guest did not arrive: the QEMU that waited here was told to quit" },
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(words[i].word, guest))
			return words[i].meaning;
	return NULL;
}

static void tell_failed(const json_t *result)
{
	const char *guest = text_of(result, "guest"), *error = text_of(result, "error");
	const char *meaning = whereabouts(guest);

	cmd_say(stderr, "vmfastmig: %s", *error ? error : "failed, and it does not say why");
	if (meaning)
		cmd_say(stderr, "vmfastmig: %s", meaning);
	else if (*guest)
		cmd_say(stderr, "vmfastmig: the guest here is %s", guest);
}

static bool is_good(const json_t *result)
{
	return json_is_true(json_object_get(result, "completed")) ||
	       json_is_true(json_object_get(result, "started")) ||
	       json_is_true(json_object_get(result, "ok"));
}

int cmd_result(const struct cmd_args *args, const json_t *result, const struct fault *fault)
{
	if (!result) {
		cmd_say_error(args, fault->text);
		return CMD_FAILED;
	}
	cmd_put_json(args, result);
	if (!is_good(result)) {
		tell_failed(result);
		return CMD_FAILED;
	}
	if (!args->json)
		tell_completed(args->command, result);
	return CMD_OK;
}

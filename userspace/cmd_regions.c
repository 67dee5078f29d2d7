// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"
#include "door.h"

#define ROW "%-24s %12s %12s %12s  %s"

static void mib_text(json_int_t bytes, char *text, size_t size)
{
	snprintf(text, size, "%.1f", (double)bytes / (1 << 20));
}

static void tell_row(const json_t *region)
{
	char bytes[32], present[32], huge[32], session[32] = "-";

	mib_text(int_of(region, "size_bytes"), bytes, sizeof(bytes));
	mib_text(int_of(region, "present_pages") << 12, present, sizeof(present));
	mib_text(int_of(region, "huge_pages") << 12, huge, sizeof(huge));
	if (json_object_get(region, "session"))
		snprintf(session, sizeof(session), "%lld", (long long)int_of(region, "session"));
	cmd_say(stdout, ROW, text_of(region, "name"), bytes, present, huge, session);
}

static void tell_table(const json_t *regions)
{
	json_t *region;
	size_t i;

	if (!json_array_size(regions)) {
		cmd_say(stdout, "no files on a vmfastmig filesystem");
		return;
	}
	cmd_say(stdout, ROW, "NAME", "SIZE MiB", "PRESENT MiB", "HUGE MiB", "SESSION");
	json_array_foreach(regions, i, region)
		tell_row(region);
}

static json_t *read_regions(struct fault *fault)
{
	json_t *regions = NULL;
	struct door door;

	if (door_open(&door, fault))
		return NULL;
	door_regions(&door, &regions, fault);
	door_close(&door);
	return regions;
}

int cmd_regions(int argc, char **argv)
{
	struct cmd_args args;
	struct fault fault;
	json_t *regions, *object;
	int status = cmd_args_parse(&args, argc, argv, 0);

	if (!status) {
		regions = read_regions(&fault);
		if (regions) {
			object = json_pack("{s:o}", "regions", regions);
			cmd_put_json(&args, object);
			if (!args.json)
				tell_table(regions);
			json_decref(object);
		} else {
			cmd_say_error(&args, fault.text);
			status = CMD_FAILED;
		}
	}
	cmd_args_free(&args);
	return status;
}

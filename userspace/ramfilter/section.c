// SPDX-License-Identifier: GPL-2.0-only
/* Sections, and commands between them. */
#include "step.h"

#define RAM_VERSION	4

enum command { COMMAND_RETURN_PATH = 1, COMMAND_PING = 2, COMMAND_SWITCHOVER = 11 };

static int step_start(struct ramfilter *filter, struct fault *fault)
{
	uint32_t version = held_be32(filter, 6 + filter->held[5] + 4);
	char name[256];

	held_name(filter, 5, name);
	if (strcmp(name, "ram") || filter->has_ram)
		return fail(fault, "QEMU's stream has a section \"%s\" that is sent in rounds; only RAM can be: detach that device, or use vmfastmig migrate",
			    name);
	if (version != RAM_VERSION)
		return fail(fault, "QEMU's stream has RAM in version %u, known is %u", version,
			    RAM_VERSION);
	filter->has_ram = true;
	filter->section = held_be32(filter, 1);
	return ramfilter_keep(filter, 8, ramfilter_step_total);
}

static int step_full(struct ramfilter *filter, struct fault *fault)
{
	char name[256];

	held_name(filter, 5, name);
	return fail(fault, "QEMU's stream has the state of device \"%s\" before that of RAM; detach it, or use vmfastmig migrate",
		    name);
}

static int step_section_name(struct ramfilter *filter, struct fault *fault)
{
	size_t name = filter->held[5];

	(void)fault;
	return *filter->held == SECTION_START ? ramfilter_more(filter, 6 + name + 8, step_start) :
	       ramfilter_more(filter, 6 + name, step_full);
}

static bool is_of_ram(const struct ramfilter *filter)
{
	return filter->has_ram && held_be32(filter, 1) == filter->section;
}

static int step_part(struct ramfilter *filter, struct fault *fault)
{
	if (!is_of_ram(filter))
		return fail(fault, "QEMU's stream goes on with section %u, which it did not begin",
			    held_be32(filter, 1));
	filter->in_end = *filter->held == SECTION_END;
	return ramfilter_keep(filter, 8, ramfilter_step_record);
}

static int step_footer(struct ramfilter *filter, struct fault *fault)
{
	if (!is_of_ram(filter))
		return fail(fault, "QEMU's stream ends section %u, which it did not begin",
			    held_be32(filter, 1));
	filter->has_footers = true;
	filter->open = filter->in_end;
	return ramfilter_section(filter);
}

static int step_command_whole(struct ramfilter *filter, struct fault *fault)
{
	(void)fault;
	return ramfilter_section(filter);
}

static int step_command(struct ramfilter *filter, struct fault *fault)
{
	static const struct {
		unsigned int command, bytes;
	} known[] = { { COMMAND_RETURN_PATH, 0 }, { COMMAND_PING, 4 }, { COMMAND_SWITCHOVER, 0 } };
	unsigned int command = filter->held[1] << 8 | filter->held[2];
	unsigned int bytes = filter->held[3] << 8 | filter->held[4];
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].command == command && known[i].bytes == bytes)
			break;
	if (i == sizeof(known) / sizeof(*known))
		return fail(fault, "QEMU's stream has command %u of %u bytes, which is unknown or for post-copy: switch capability postcopy-ram off",
			    command, bytes);
	if (command == COMMAND_SWITCHOVER && ramfilter_stop(filter, RAMFILTER_STOPPED))
		return STEP_STOPS;
	return ramfilter_more(filter, 5 + bytes, step_command_whole);
}

/* A section of RAM that goes on, or ends. */
static int ram_next(struct ramfilter *filter)
{
	bool ends = *filter->held == SECTION_END;

	return ramfilter_stop(filter, ends ? RAMFILTER_STOPPED : RAMFILTER_PAGES) ?:
	       ramfilter_more(filter, 5, step_part);
}

int ramfilter_step_section(struct ramfilter *filter, struct fault *fault)
{
	if (filter->in_end && *filter->held != SECTION_FOOTER) {
		if (filter->has_footers)
			return fail(fault, "QEMU's stream has no footer after its RAM");
		filter->open = true;	/* old machine types have none */
		return ramfilter_section(filter);
	}
	switch (*filter->held) {
	case SECTION_CONFIGURATION:
		return ramfilter_more(filter, 5, ramfilter_step_configuration);
	case SECTION_SUBSECTION:
		return ramfilter_more(filter, 2, ramfilter_step_subsection_length);
	case SECTION_COMMAND:
		return ramfilter_more(filter, 5, step_command);
	case SECTION_START:
	case SECTION_FULL:
		return ramfilter_more(filter, 6, step_section_name);
	case SECTION_PART:
	case SECTION_END:
		return ram_next(filter);
	case SECTION_FOOTER:
		return ramfilter_more(filter, 5, step_footer);
	case SECTION_EOF:
		return fail(fault, "QEMU's stream ends before its RAM does");
	default:
		return fail(fault, "QEMU's stream has a section of type %#x, which is unknown",
			    *filter->held);
	}
}

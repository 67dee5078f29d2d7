// SPDX-License-Identifier: GPL-2.0-only
/* What a stream says of itself: the machine, and what its reader has to be capable of. */
#include "step.h"

static int step_capability_length(struct ramfilter *filter, struct fault *fault);

/* The next capability, or the section after them. */
static int capabilities_next(struct ramfilter *filter)
{
	return filter->capabilities ? ramfilter_keep(filter, 1, step_capability_length) :
	       ramfilter_section(filter);
}

static int step_capability(struct ramfilter *filter, struct fault *fault)
{
	char name[256];

	held_name(filter, 0, name);
	if (!strcmp(name, "x-ignore-shared"))
		filter->ignores_shared = true;
	else
		return fail(fault, "QEMU's stream needs capability %s: switch it off", name);
	filter->capabilities--;
	return capabilities_next(filter);
}

static int step_capability_length(struct ramfilter *filter, struct fault *fault)
{
	(void)fault;
	return ramfilter_more(filter, 1 + filter->held[0], step_capability);
}

static int step_capabilities(struct ramfilter *filter, struct fault *fault)
{
	(void)fault;
	filter->capabilities = held_be32(filter, 0);
	return capabilities_next(filter);
}

static int step_page_bits(struct ramfilter *filter, struct fault *fault)
{
	return 1U << (held_be32(filter, 0) & 31) == PAGE_BYTES ? ramfilter_section(filter) :
	       fail(fault, "QEMU's stream has pages of 2^%u bytes", held_be32(filter, 0));
}

static int step_uuid(struct ramfilter *filter, struct fault *fault)
{
	(void)fault;
	return ramfilter_section(filter);
}

static int step_subsection(struct ramfilter *filter, struct fault *fault)
{
	static const struct {
		const char *name;
		size_t bytes;
		ramfilter_step *next;
	} known[] = {
		{ "configuration/capabilities", 4, step_capabilities },
		{ "configuration/target-page-bits", 4, step_page_bits },
		{ "configuration/uuid", 16, step_uuid },
	};
	char name[256];
	size_t i;

	held_name(filter, 1, name);
	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(known[i].name, name))
			return ramfilter_keep(filter, known[i].bytes, known[i].next);
	return fail(fault, "QEMU's stream has a subsection %s, which is unknown", name);
}

int ramfilter_step_subsection_length(struct ramfilter *filter, struct fault *fault)
{
	(void)fault;
	return ramfilter_more(filter, 2 + filter->held[1] + 4, step_subsection);
}

static int step_machine(struct ramfilter *filter, struct fault *fault)
{
	(void)fault;
	return ramfilter_section(filter);
}

int ramfilter_step_configuration(struct ramfilter *filter, struct fault *fault)
{
	uint32_t bytes = held_be32(filter, 1);

	return bytes < 256 ? ramfilter_more(filter, 5 + bytes, step_machine) :
	       fail(fault, "QEMU's stream has a machine's name of %u bytes", bytes);
}

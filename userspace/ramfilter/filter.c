// SPDX-License-Identifier: GPL-2.0-only
#include "step.h"

#define STREAM_MAGIC	0x5145564d
#define STREAM_VERSION	3

int ramfilter_more(struct ramfilter *filter, size_t wants, ramfilter_step *next)
{
	filter->wants = wants;
	filter->step = next;
	return 0;
}

static void put(struct ramfilter *filter, const uint8_t *data, size_t bytes)
{
	memcpy(filter->out + filter->out_bytes, data, bytes);
	filter->out_bytes += bytes;
}

int ramfilter_drop(struct ramfilter *filter, size_t wants, ramfilter_step *next)
{
	filter->has = 0;
	return ramfilter_more(filter, wants, next);
}

int ramfilter_keep(struct ramfilter *filter, size_t wants, ramfilter_step *next)
{
	put(filter, filter->held, filter->has);
	return ramfilter_drop(filter, wants, next);
}

int ramfilter_section(struct ramfilter *filter)
{
	return ramfilter_keep(filter, 1, ramfilter_step_section);
}

int ramfilter_stop(struct ramfilter *filter, enum ramfilter_mark mark)
{
	if (filter->at < mark)
		filter->at = mark;
	return filter->passes < mark ? STEP_STOPS : 0;
}

static int step_header(struct ramfilter *filter, struct fault *fault)
{
	if (held_be32(filter, 0) != STREAM_MAGIC || held_be32(filter, 4) != STREAM_VERSION)
		return fail(fault, "what comes is not QEMU's migration stream, or not a plain one: switch TLS and multifd off");
	return ramfilter_section(filter);
}

void ramfilter_init(struct ramfilter *filter)
{
	memset(filter, 0, sizeof(*filter));
	filter->step = step_header;
	filter->wants = 8;
}

int ramfilter_leave_out(struct ramfilter *filter, const char *id, uint64_t bytes,
			struct fault *fault)
{
	unsigned int i = filter->left_out_count;

	if (i == RAMFILTER_LEFT_OUT_MAX || strlen(id) >= sizeof(filter->left_out[i].name))
		return fail(fault, "RAM region %s: too long a name, or too many of them", id);
	strcpy(filter->left_out[i].name, id);
	filter->left_out[i].bytes = bytes;
	filter->left_out_count++;
	return 0;
}

static size_t at_most(uint64_t bytes, size_t limit)
{
	return bytes < limit ? bytes : limit;
}

/* Of a payload, or of what is not parsed any more. */
static size_t pass(struct ramfilter *filter, const uint8_t *in, size_t bytes)
{
	size_t count = filter->open ? bytes : at_most(filter->bulk, bytes);

	if (filter->open || !filter->drops)
		put(filter, in, count);
	if (!filter->open)
		filter->bulk -= count;
	return count;
}

long ramfilter_run(struct ramfilter *filter, const uint8_t *in, size_t bytes, uint8_t *out,
		   size_t *out_bytes, struct fault *fault)
{
	size_t at = 0, count;
	int end = 0;

	filter->out = out;
	filter->out_bytes = 0;
	while (!end) {
		if (filter->open || filter->bulk) {
			count = pass(filter, in + at, bytes - at);
		} else {
			count = at_most(filter->wants - filter->has, bytes - at);
			memcpy(filter->held + filter->has, in + at, count);
			filter->has += count;
			if (filter->has == filter->wants)
				end = filter->step(filter, fault);
			else if (at + count == bytes)
				end = STEP_STOPS;
		}
		at += count;
		if (at == bytes && (filter->open || filter->bulk))
			end = end ?: STEP_STOPS;
	}
	*out_bytes = filter->out_bytes;
	return end < 0 ? -1 : (long)at;
}

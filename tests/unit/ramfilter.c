// SPDX-License-Identifier: GPL-2.0-only
/* QEMU's stream without the pages of some blocks: built ones, and recorded ones. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ramfilter/filter.h"
#include "tap.h"

#define PAGE	4096
#define ZERO	0x02
#define CONTENT	0x08
#define SAME	0x20

/* A stream, and what is to be left of it. */
struct story {
	uint8_t in[100000], expected[100000];
	size_t in_bytes, expected_bytes;
	size_t pages_at, stopped_at;	/* where marks are */
	bool drops;
};

static struct story story;
static uint64_t state = 88172645463325252;

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % below;
}

static void bytes(const void *data, size_t count)
{
	if (story.in_bytes + count > sizeof(story.in))
		tap_give_up("the story is too long");
	memcpy(story.in + story.in_bytes, data, count);
	story.in_bytes += count;
	if (story.drops)
		return;
	memcpy(story.expected + story.expected_bytes, data, count);
	story.expected_bytes += count;
}

static void u8(uint8_t value)
{
	bytes(&value, 1);
}

static void u16(uint16_t value)
{
	value = htobe16(value);
	bytes(&value, 2);
}

static void u32(uint32_t value)
{
	value = htobe32(value);
	bytes(&value, 4);
}

static void u64(uint64_t value)
{
	value = htobe64(value);
	bytes(&value, 8);
}

static void name(const char *text)
{
	u8((uint8_t)strlen(text));
	bytes(text, strlen(text));
}

static void header(void)
{
	memset(&story, 0, sizeof(story));
	u32(0x5145564d);
	u32(3);
	u8(7);
	u32(6);
	bytes("pc-q35", 6);
}

static void capabilities(const char *const *names)
{
	uint32_t count = 0;

	while (names[count])
		count++;
	u8(5);
	name("configuration/capabilities");
	u32(1);
	u32(count);
	while (*names)
		name(*names++);
}

static void command(uint16_t which, uint16_t count)
{
	static const uint8_t zeros[64];

	u8(8);
	u16(which);
	u16(count);
	bytes(zeros, count);
}

static void start(const char *section, uint32_t id, uint32_t version)
{
	u8(1);
	u32(id);
	name(section);
	u32(0);
	u32(version);
}

/* ram0 of 16 pages, pc.bios of 4. */
static void blocks(bool with_addresses)
{
	u64(20 * PAGE | 0x04);
	name("ram0");
	u64(16 * PAGE);
	if (with_addresses)
		u64(0);
	name("pc.bios");
	u64(4 * PAGE);
	if (with_addresses)
		u64(0xfffc0000);
}

static void page(const char *block, uint64_t offset, unsigned int flags)
{
	static uint8_t content[PAGE];
	size_t i;

	story.drops = !strcmp(block, "ram0");
	u64(offset | flags);
	if (!(flags & SAME))
		name(block);
	for (i = 0; i < PAGE; i++)
		content[i] = (uint8_t)draw(256);
	if (flags & CONTENT)
		bytes(content, PAGE);
	else
		u8(0);
	story.drops = false;
}

static void section(uint8_t type, uint32_t id)
{
	u8(type);
	u32(id);
}

static void end_section(uint32_t id)
{
	u64(0x10);
	section(0x7e, id);
}

static void part(void)
{
	if (!story.pages_at)
		story.pages_at = story.in_bytes + 1;
	section(2, 3);
	page("ram0", 0, CONTENT);
	page("ram0", PAGE, ZERO | SAME);
	page("pc.bios", 0, CONTENT);
	page("ram0", 15 * PAGE, ZERO);
	page("ram0", 2 * PAGE, CONTENT | SAME);
	page("pc.bios", PAGE, CONTENT);
	page("pc.bios", 2 * PAGE, ZERO | SAME);
	end_section(3);
}

static void devices(void)
{
	size_t i;

	u8(4);
	u32(9);
	name("timer");
	for (i = 0; i < 300; i++)
		u8((uint8_t)draw(256));
	u8(0);
}

/* What a whole one is like. */
static void tell(bool newer, bool with_addresses)
{
	static const char *const shared[] = { "x-ignore-shared", NULL };

	header();
	if (with_addresses)
		capabilities(shared);
	command(1, 0);
	command(2, 4);
	start("ram", 3, 4);
	blocks(with_addresses);
	end_section(3);
	part();
	part();
	if (newer)
		story.stopped_at = story.in_bytes + 5;
	if (newer)
		command(11, 0);
	if (!newer)
		story.stopped_at = story.in_bytes + 1;
	section(3, 3);
	page("pc.bios", 3 * PAGE, ZERO | SAME);	/* across sections, its block is as before */
	page("ram0", 4 * PAGE, CONTENT);
	page("pc.bios", 3 * PAGE, CONTENT);
	end_section(3);
	devices();
}

struct run {
	struct ramfilter filter;
	uint8_t out[sizeof(story.in) + RAMFILTER_HELD_BYTES];
	size_t out_bytes, in_bytes;
	struct fault fault;
};

static struct run *begin(enum ramfilter_mark passes)
{
	static struct run run;

	memset(&run, 0, sizeof(run));
	ramfilter_init(&run.filter);
	if (ramfilter_leave_out(&run.filter, "ram0", 16 * PAGE, &run.fault))
		tap_give_up(run.fault.text);
	run.filter.passes = passes;
	return &run;
}

/* A piece, from memory of exactly its size and into such: ASan sees each byte too far. */
static long feed(struct run *run, const uint8_t *data, size_t count)
{
	uint8_t *in = malloc(count + 1), *out = malloc(count + RAMFILTER_HELD_BYTES);
	size_t put = 0;
	long took;

	memcpy(in + 1, data, count);
	took = ramfilter_run(&run->filter, in + 1, count, out, &put, &run->fault);
	if (took >= 0) {
		memcpy(run->out + run->out_bytes, out, put);
		run->out_bytes += put;
		run->in_bytes += took;
	}
	free(in);
	free(out);
	return took;
}

static bool is_told(const struct run *run)
{
	return run->filter.open && run->out_bytes == story.expected_bytes &&
	       !memcmp(run->out, story.expected, run->out_bytes);
}

static void whole(void)
{
	struct run *run;
	int kind;

	for (kind = 0; kind < 4; kind++) {
		tell(kind & 1, kind & 2);
		run = begin(RAMFILTER_STOPPED);
		CHECK(feed(run, story.in, story.in_bytes) == (long)story.in_bytes);
		CHECK(is_told(run));
		CHECK(run->filter.left_out_bytes == 5 * PAGE);
	}
}

/* Cut in two at each place, and into pieces of any size. */
static void pieces(void)
{
	struct run *run;
	size_t cut, piece;
	int kind;

	for (kind = 0; kind < 2; kind++) {
		tell(kind, !kind);
		for (cut = 0; cut <= story.in_bytes; cut += cut < 600 ? 1 : 7) {
			run = begin(RAMFILTER_STOPPED);
			CHECK(feed(run, story.in, cut) == (long)cut);
			CHECK(feed(run, story.in + cut, story.in_bytes - cut) ==
			      (long)(story.in_bytes - cut));
			if (!CHECK(is_told(run)))
				break;
		}
	}
	for (cut = 0; cut < 300; cut++) {
		run = begin(RAMFILTER_STOPPED);
		while (run->in_bytes < story.in_bytes) {
			piece = 1 + draw(1 + draw(draw(2) ? 5000 : 20));
			if (piece > story.in_bytes - run->in_bytes)
				piece = story.in_bytes - run->in_bytes;
			if (!CHECK(feed(run, story.in + run->in_bytes, piece) == (long)piece))
				return;
		}
		CHECK(is_told(run));
	}
}

/* It stops there, and does not take a byte more until it may. */
static void marks_in_pieces_of(size_t piece)
{
	static const enum ramfilter_mark marks[] = { RAMFILTER_PAGES, RAMFILTER_STOPPED };
	struct run *run = begin(RAMFILTER_BEGIN);
	size_t stops[] = { story.pages_at, story.stopped_at }, i, count;

	for (i = 0; i < 2; i++) {
		while (run->filter.at < marks[i]) {
			count = story.in_bytes - run->in_bytes;
			feed(run, story.in + run->in_bytes, count < piece ? count : piece);
		}
		CHECK(run->in_bytes == stops[i]);
		CHECK(feed(run, story.in + run->in_bytes, 1) == 0);
		CHECK(run->in_bytes == stops[i]);
		/* None of what was to be held went out. */
		CHECK(run->out_bytes < run->in_bytes);
		run->filter.passes = marks[i];
	}
	CHECK(feed(run, story.in + run->in_bytes, story.in_bytes - run->in_bytes) > 0);
	CHECK(is_told(run));
}

static void marks(void)
{
	int newer;

	for (newer = 0; newer < 2; newer++) {
		tell(newer, false);
		marks_in_pieces_of(1);
		marks_in_pieces_of(5);
		marks_in_pieces_of(100000);
	}
}

static void no_footers(void)
{
	struct run *run;

	header();
	start("ram", 1, 4);
	blocks(false);
	u64(0x10);
	section(3, 1);
	page("ram0", 0, ZERO);
	u64(0x10);
	devices();
	run = begin(RAMFILTER_STOPPED);
	CHECK(feed(run, story.in, story.in_bytes) > 0);
	CHECK(is_told(run));
}

static void old_names(void)
{
	struct run *run;

	header();
	start("ram", 1, 4);
	u64(16 * PAGE | 0x04);
	name("/objects/ram0");
	u64(16 * PAGE);
	end_section(1);
	section(3, 1);
	story.drops = true;
	u64(ZERO);
	name("/objects/ram0");
	u8(0);
	story.drops = false;
	end_section(1);
	devices();
	run = begin(RAMFILTER_STOPPED);
	CHECK(feed(run, story.in, story.in_bytes) > 0);
	CHECK(is_told(run));
}

/* What was told so far is refused in these words. */
static void refused(const char *words)
{
	struct run *run = begin(RAMFILTER_STOPPED);

	CHECK(feed(run, story.in, story.in_bytes) == -1);
	CHECK_HAS(run->fault.text, words);
	/* And no sooner than that, however it comes. */
	run = begin(RAMFILTER_STOPPED);
	while (run->in_bytes < story.in_bytes && feed(run, story.in + run->in_bytes, 1) == 1)
		;
	CHECK_HAS(run->fault.text, words);
}

static void begun(void)
{
	header();
	start("ram", 3, 4);
	blocks(false);
	end_section(3);
	section(2, 3);
}

static void refuses_sections(void)
{
	static const char *const strange[] = { "x-strange", NULL };

	header();
	story.in[3]++;
	refused("not QEMU's migration stream");
	header();
	start("dirty-bitmap", 1, 1);
	refused("dirty-bitmap");
	header();
	start("ram", 1, 5);
	refused("version 5");
	header();
	u8(4);
	u32(1);
	name("virtio-mem-device-early");
	refused("virtio-mem-device-early");
	header();
	u8(9);
	refused("type 0x9");
	header();
	u8(0);
	refused("ends before");
	header();
	command(3, 16);
	refused("postcopy-ram");
	header();
	capabilities(strange);
	refused("x-strange");
	header();
	u8(5);
	name("configuration/new");
	u32(1);
	refused("configuration/new");
	begun();
	end_section(4);
	refused("section 4");
	header();
	section(2, 3);
	refused("section 3");
}

static void refuses_blocks(void)
{
	header();
	start("ram", 3, 4);
	u64(PAGE);
	refused("announces no RAM blocks");
	header();
	start("ram", 3, 4);
	u64(4 * PAGE | 0x04);
	name("pc.bios");
	u64(4 * PAGE);
	refused("announces 0");
	header();
	start("ram", 3, 4);
	u64(4 * PAGE | 0x04);
	name("ram0");
	u64(4 * PAGE);
	refused("its file has 65536");
	header();
	start("ram", 3, 4);
	u64(4 * PAGE | 0x04);
	name("pc.bios");
	u64(5 * PAGE);
	refused("more bytes than it says");
	header();
	start("ram", 3, 4);
	u64(4 * PAGE | 0x04);
	name("a");
	u64(PAGE);
	name("a");
	u64(PAGE);
	refused("twice");
}

static void refuses_pages(void)
{
	begun();
	page("pc.bios", 4 * PAGE, CONTENT);
	refused("at 0x4000");
	begun();
	page("pc.rom", 0, CONTENT);
	refused("pc.rom");
	begun();
	page("ram0", 0, CONTENT | SAME);
	refused("no RAM block");
	begun();
	u64(0x40);
	refused("xbzrle");
	begun();
	u64(0x80);
	refused("RDMA");
	begun();
	u64(0x100);
	refused("compress");
	begun();
	u64(0x200);
	refused("multifd");
	begun();
	u64(0x400);
	refused("0x400");
	begun();
	u64(PAGE | 0x10);
	refused("flags");
}

static void many_blocks(void)
{
	struct run *run;
	char text[24];
	int i;

	header();
	start("ram", 3, 4);
	u64(1000 * PAGE | 0x04);
	for (i = 0; i < RAMFILTER_BLOCKS_MAX; i++) {
		snprintf(text, sizeof(text), "block%d", i);
		name(text);
		u64(PAGE);
	}
	run = begin(RAMFILTER_STOPPED);
	CHECK(feed(run, story.in, story.in_bytes) == (long)story.in_bytes);
	name("one more");
	u64(PAGE);
	refused("more than 256");
}

/* Up to any byte: nothing is refused, nothing that was not there goes out. */
static void truncated(void)
{
	struct run *run;
	size_t cut;

	tell(true, true);
	for (cut = 0; cut < story.in_bytes; cut++) {
		run = begin(RAMFILTER_STOPPED);
		CHECK(feed(run, story.in, cut) == (long)cut);
		if (!CHECK(run->out_bytes <= story.expected_bytes &&
			   !memcmp(run->out, story.expected, run->out_bytes)))
			break;
	}
}

/* A byte that is not there, or too many: within a page or behind RAM it may pass unseen. */
static void out_of_step(void)
{
	static uint8_t torn[sizeof(story.in)];
	size_t devices_at, i;
	struct run *run;

	tell(true, false);
	devices_at = story.in_bytes - 312;
	for (i = 0; i < devices_at; i++) {
		memcpy(torn, story.in, i);
		memcpy(torn + i, story.in + i + 1, story.in_bytes - i - 1);
		run = begin(RAMFILTER_STOPPED);
		if (feed(run, torn, story.in_bytes - 1) >= 0)
			CHECK(!run->filter.open);
		if (!CHECK(!is_told(run)))
			break;
	}
}

static void mutated(void)
{
	static uint8_t wrong[sizeof(story.in)];
	struct run *run;
	int i, n;

	tell(true, true);
	for (i = 0; i < 3000; i++) {
		memcpy(wrong, story.in, story.in_bytes);
		for (n = 1 + draw(3); n; n--)
			wrong[draw(draw(2) ? 300 : (uint32_t)story.in_bytes)] = (uint8_t)draw(256);
		run = begin(RAMFILTER_STOPPED);
		feed(run, wrong, story.in_bytes);
		CHECK(run->out_bytes <= story.in_bytes);
	}
}

/* Of a real QEMU, machine "none" with 64 KiB of ram0: all its records leave, and no more. */
static void recorded(void)
{
	static const char *const names[] = {
		"qemu-7.2", "qemu-7.2-return-path", "qemu-7.2-ignore-shared", "qemu-10.0",
		"qemu-10.0-return-path", "qemu-10.0-ignore-shared",
	};
	char path[128];
	struct run *run;
	size_t i, out_bytes;
	FILE *file;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "corpus/ramfilter/%s", names[i]);
		file = fopen(path, "re");
		if (!file)
			tap_give_up(path);
		story.in_bytes = fread(story.in, 1, sizeof(story.in), file);
		fclose(file);
		run = begin(RAMFILTER_STOPPED);
		CHECK(feed(run, story.in, story.in_bytes) == (long)story.in_bytes);
		CHECK(run->filter.open && run->filter.blocks == 1);
		/* Of 16 zero pages the first has the name. */
		CHECK(story.in_bytes - run->out_bytes ==
		      (strstr(names[i], "shared") ? 0 : 16 * 9 + 5));
		out_bytes = run->out_bytes;
		memcpy(story.expected, run->out, out_bytes);
		/* What has no such pages is as it was. */
		run = begin(RAMFILTER_STOPPED);
		CHECK(feed(run, story.expected, out_bytes) == (long)out_bytes);
		CHECK(run->out_bytes == out_bytes && !memcmp(run->out, story.expected, out_bytes));
	}
}

int main(void)
{
	static const struct test tests[] = {
		{ "pages of a block are left out", whole },
		{ "in any pieces", pieces },
		{ "it stops at marks", marks },
		{ "without footers", no_footers },
		{ "names of old machine types", old_names },
		{ "sections that are refused", refuses_sections },
		{ "blocks that are refused", refuses_blocks },
		{ "pages that are refused", refuses_pages },
		{ "many blocks", many_blocks },
		{ "truncated", truncated },
		{ "a byte is missing", out_of_step },
		{ "mutated", mutated },
		{ "recorded streams", recorded },
	};

	return TAP_RUN(tests);
}

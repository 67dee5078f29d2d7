// SPDX-License-Identifier: GPL-2.0-only
/* A domain of libvirt's: what its QEMU's command line says of RAM, and what it maps. */
#include <stdio.h>
#include <string.h>

#include "domain.h"
#include "scratch.h"
#include "tap.h"

static struct guest guest;

/* Arguments are parted by blanks. */
static void parse(const char *line)
{
	static char room[2048];
	size_t bytes = strlen(line) + 1, i;

	for (i = 0; i < bytes; i++)
		room[i] = line[i] == ' ' ? 0 : line[i];
	guest_init(&guest);
	domain_parse((struct arguments){ room, room + bytes }, &guest);
}

static const char *foreign(size_t at, const char *key)
{
	json_t *one = json_array_get(json_object_get(guest.facts, "foreign"), at);

	return json_string_value(json_object_get(one, key)) ?: "";
}

static size_t foreigners(void)
{
	return json_array_size(json_object_get(guest.facts, "foreign"));
}

/* As libvirt 9.0 writes it. */
static void as_json(void)
{
	parse("/usr/bin/qemu -name guest=vm-1,debug-threads=on -S -object {\"qom-type\":\"secret\",\"id\":\"masterKey0\",\"file\":\"/k\"} -m 128 -object {\"qom-type\":\"memory-backend-ram\",\"id\":\"pc.ram\",\"size\":134217728} -object {\"qom-type\":\"memory-backend-file\",\"id\":\"ram-node0\",\"mem-path\":\"/dev/shm/x\",\"share\":false,\"size\":1}");
	CHECK_TEXT(guest_text(&guest, "name"), "vm-1");
	CHECK(foreigners() == 2 && !guest.regions);
	CHECK_TEXT(foreign(0, "id"), "pc.ram");
	CHECK_TEXT(foreign(0, "type"), "memory-backend-ram");
	CHECK_HAS(foreign(0, "why"), "not a memory-backend-file");
	CHECK_TEXT(foreign(1, "id"), "ram-node0");
	CHECK_HAS(foreign(1, "why"), "share=off");
	guest_free(&guest);
}

/* As those before 7.2 do; and names with commas. */
static void as_lists(void)
{
	parse("qemu -name guest=a,,b -object memory-backend-file,id=r0,mem-path=/tmp,share=yes,size=4096 -object memory-backend-file,id=r1,mem-path=/proc/self/cmdline,share=on,size=4096 -object iothread,id=io -object memory-backend-memfd,id=r2");
	CHECK_TEXT(guest_text(&guest, "name"), "a,b");
	CHECK(foreigners() == 3 && !guest.regions);
	CHECK_HAS(foreign(0, "why"), "not on a vmfastmig filesystem");
	CHECK_HAS(foreign(1, "why"), "not on a vmfastmig filesystem");
	CHECK_TEXT(foreign(2, "id"), "r2");
	guest_free(&guest);
	parse("qemu -name plain");
	CHECK_TEXT(guest_text(&guest, "name"), "plain");
	guest_free(&guest);
}

static void broken(void)
{
	static const char *const lines[] = {
		"", "qemu", "qemu -object", "qemu -object {", "qemu -object {}", "qemu -object []",
		"qemu -object {\"qom-type\":\"memory-backend-file\"}", "qemu -name", "qemu -object ,,,",
		"qemu -object {\"qom-type\":1,\"id\":2}", "qemu -object memory-backend-file,size=1",
	};
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		parse(lines[i]);
		CHECK(!foreigners() && !guest.regions);
		guest_free(&guest);
	}
}

static void not_there(void)
{
	static const char *const names[] = { "", "a/b", "no such domain" };
	struct fault fault = { "" };
	size_t i;
	pid_t pid;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		CHECK(domain_read(names[i], &guest, &pid, &fault) == -1);
		CHECK_HAS(fault.text, i < 2 ? "not a domain's name" : "no domain no such domain runs here");
	}
}

int main(void)
{
	static const struct test tests[] = {
		{ "objects as JSON", as_json },
		{ "objects as lists", as_lists },
		{ "broken command lines", broken },
		{ "a domain that is not there", not_there },
	};

	return TAP_RUN(tests);
}

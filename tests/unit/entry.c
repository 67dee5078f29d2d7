// SPDX-License-Identifier: GPL-2.0-only
/* Entries that outlive the daemon: whole or not at all, and in their place. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon.h"
#include "entry.h"
#include "run.h"
#include "tap.h"

static struct fault fault;

static json_int_t number_in(const char *name)
{
	json_t *entry = entry_read("kind", name);
	json_int_t number = json_integer_value(json_object_get(entry, "n"));

	json_decref(entry);
	return number;
}

static int write_number(const char *name, int number)
{
	return entry_write("kind", name, json_pack("{s:i}", "n", number), &fault);
}

static void there_and_back(void)
{
	struct stat st;

	run_own("");
	CHECK(!entry_read("kind", "a") && errno == ENOENT);
	CHECK(!write_number("a", 1) && !write_number("b", 2));
	CHECK(number_in("a") == 1 && number_in("b") == 2);
	CHECK(!write_number("a", 3) && number_in("a") == 3);
	CHECK(!stat(RUN_DIR "/kind", &st) && (st.st_mode & 077) == 0);
	CHECK(!stat(RUN_DIR "/kind/a.json", &st) && (st.st_mode & 077) == 0);
	entry_remove("kind", "a");
	entry_remove("kind", "a");
	CHECK(!entry_read("kind", "a") && number_in("b") == 2);
}

/* A name of any kind stays in its directory, and is found again. */
static void odd_names(void)
{
	static const char *const names[] = { "/run/vm.sock", "../../etc/x", "..", ".", "a b", "!x",
					     "/", "caf\xc3\xa9" };
	json_t *listed, *name;
	char longest[300];
	size_t i;

	run_own("");
	for (i = 0; i < 8; i++)
		CHECK(!write_number(names[i], 10 + i));
	memset(longest, 'l', 107);
	longest[107] = 0;
	CHECK(!write_number(longest, 18));
	CHECK(access("/run/etc", F_OK) && access("/etc/x.json", F_OK));
	for (i = 0; i < 8; i++)
		CHECK(number_in(names[i]) == 10 + (json_int_t)i);
	listed = entry_names("kind");
	CHECK(json_array_size(listed) == 9);
	json_array_foreach(listed, i, name) {
		CHECK(number_in(json_string_value(name)) >= 10);
		entry_remove("kind", json_string_value(name));
	}
	json_decref(listed);
	CHECK(!rmdir(RUN_DIR "/kind"));
}

static void other_files(void)
{
	json_t *names;

	run_own("");
	names = entry_names("kind");
	CHECK(json_array_size(names) == 0);
	json_decref(names);
	CHECK(!write_number("a", 1));
	run_file(RUN_DIR "/kind/b.json.new", "{\"n\":");
	run_file(RUN_DIR "/kind/.json", "{}");
	run_file(RUN_DIR "/kind/README", "");
	names = entry_names("kind");
	CHECK(json_array_size(names) == 1);
	CHECK_TEXT(json_string_value(json_array_get(names, 0)), "a");
	json_decref(names);
}

static void torn(void)
{
	run_own("");
	CHECK(!write_number("a", 1));
	run_file(RUN_DIR "/kind/a.json", "{\"n\":");
	CHECK(!entry_read("kind", "a") && errno == EBADMSG);
	run_file(RUN_DIR "/kind/a.json", "{\"n\":1,\"n\":2}");
	CHECK(!entry_read("kind", "a"));
	run_file(RUN_DIR "/kind/a.json", "");
	CHECK(!entry_read("kind", "a") && errno == EBADMSG);
	CHECK(!unlink(RUN_DIR "/kind/a.json") && !symlink("a.json", RUN_DIR "/kind/a.json"));
	CHECK(!entry_read("kind", "a") && errno == ELOOP);
}

/* The one before stays whole, and the failure is told. */
static void no_room(void)
{
	run_own("nr_inodes=5");		/* /run, vmfastmig, kind, the entry, and one more */
	CHECK(!write_number("a", 1));
	run_file("/run/filler", "");
	CHECK(write_number("a", 2) == -1);
	CHECK_HAS(fault.text, RUN_DIR "/kind/a.json");
	CHECK_HAS(fault.text, "No space left");
	CHECK(number_in("a") == 1);
}

static void full(void)
{
	static char big[1 << 20];

	run_own("size=64k");
	CHECK(!write_number("a", 1));
	memset(big, 'x', sizeof(big) - 1);
	CHECK(entry_write("kind", "a", json_pack("{s:s}", "x", big), &fault) == -1);
	CHECK_HAS(fault.text, "a.json");
	CHECK(number_in("a") == 1);
}

/* jansson made none. */
static void no_entry(void)
{
	run_own("");
	CHECK(entry_write("kind", "a", NULL, &fault) == -1);
	CHECK_HAS(fault.text, "a.json");
	CHECK(!entry_read("kind", "a"));
}

int main(void)
{
	static const struct test tests[] = {
		{ "there and back", there_and_back },
		{ "odd names", odd_names },
		{ "other files beside them", other_files },
		{ "torn entries", torn },
		{ "no room for a file", no_room },
		{ "no room for its text", full },
		{ "no entry", no_entry },
	};

	return TAP_RUN(tests);
}

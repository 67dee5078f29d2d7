// SPDX-License-Identifier: GPL-2.0-only
/* What is read of a guest from the monitor of a QEMU. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "preflight.h"
#include "qemu.h"
#include "scratch.h"
#include "script.h"
#include "tap.h"

static struct guest guest;
static struct qmp qmp;
static struct fault fault;

static pid_t read_guest(const char *options)
{
	pid_t pid = qemu_start(scratch_path("qmp"), options);

	if (qmp_open(&qmp, scratch_path("qmp"), &fault) || guest_read(&guest, &qmp, &fault))
		tap_give_up(fault.text);
	return pid;
}

static void end(pid_t pid)
{
	guest_free(&guest);
	guest_free(&guest);
	qmp_close(&qmp);
	qemu_end(pid);
}

static void who_it_is(void)
{
	pid_t pid = read_guest("-object iothread,id=io0 -name vm-7 -uuid 12345678-1234-1234-1234-123456789abc");
	json_t *qemu = json_object_get(guest.facts, "qemu");

	CHECK_TEXT(guest_text(&guest, "name"), "vm-7");
	CHECK_TEXT(guest_text(&guest, "uuid"), "12345678-1234-1234-1234-123456789abc");
	CHECK_TEXT(guest_text(&guest, "status"), "prelaunch");
	CHECK_TEXT(guest_text(&guest, "machine"), "none-machine");
	CHECK_TEXT(guest_text(&guest, "arch"), "x86_64");
	CHECK_TEXT(guest_text(&guest, "no-such-fact"), "");
	CHECK(json_array_size(qemu) == 3);
	CHECK(json_integer_value(json_array_get(qemu, 0)) >= 7);
	CHECK(json_integer_value(json_object_get(guest.facts, "vcpus")) == 0);
	CHECK(json_array_size(json_object_get(guest.facts, "regions")) == 0);
	CHECK(json_array_size(json_object_get(guest.facts, "foreign")) == 0);
	CHECK(json_array_size(json_object_get(guest.facts, "disks")) == 0);
	CHECK(json_is_array(json_object_get(guest.facts, "blockers")));
	end(pid);
}

static void no_name(void)
{
	pid_t pid = read_guest("-object iothread,id=io0");

	CHECK_TEXT(guest_text(&guest, "name"), "");
	end(pid);
}

static unsigned int asked;

/* One vCPU of three is in a guest, and only the second time it is asked. */
static void tells_nested(int fd, void *arg)
{
	json_t *request;

	script_greet(fd);
	while ((request = script_hear(fd))) {
		char text[400];

		CHECK_TEXT(json_string_value(json_object_get(request, "execute")), "query-stats");
		snprintf(text, sizeof(text), "{\"return\":[{\"stats\":[{\"name\":\"guest_mode\",\"value\":0}]},"
			 "{\"stats\":[{\"name\":\"nested_run\",\"value\":7},{\"name\":\"guest_mode\",\"value\":%s}]},"
			 "{\"stats\":7}],\"id\":%d}\r\n", ++asked < 2 ? "0" : (const char *)arg,
			 (int)json_integer_value(json_object_get(request, "id")));
		json_decref(request);
		script_say(fd, text);
	}
}

static int read_nested(const char *vendor, const char *value)
{
	FILE *cpuinfo = fopen(scratch_path("cpuinfo"), "w");
	struct script script;
	int within;

	fprintf(cpuinfo, "processor\t: 0\nvendor_id\t: %s\ncpu family\t: 6\n", vendor);
	fclose(cpuinfo);
	asked = 0;
	guest_init(&guest);
	script_start(&script, scratch_path("qmp"), tells_nested, (void *)value);
	if (qmp_open(&qmp, scratch_path("qmp"), &fault))
		tap_give_up(fault.text);
	guest_read_nested(&guest, &qmp, scratch_path("cpuinfo"));
	within = json_integer_value(json_object_get(guest.facts, "nested"));
	guest_free(&guest);
	qmp_close(&qmp);
	script_end(&script);
	return within;
}

static void nested(void)
{
	CHECK(read_nested("GenuineIntel", "1") == 1 && asked == 2);
	CHECK(read_nested("GenuineIntel", "true") == 1);
	CHECK(read_nested("GenuineIntel", "false") == 0 && asked > 2);
	CHECK(read_nested("GenuineIntel", "\"1\"") == 0);
	CHECK(read_nested("AuthenticAMD", "1") == 0 && !asked);
}

static const char *why_foreign(const char *id)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(guest.facts, "foreign"), i, one)
		if (!strcmp(json_string_value(json_object_get(one, "id")), id))
			return json_string_value(json_object_get(one, "why"));
	return NULL;
}

/* RAM that the module does not hold must be named, each with its own reason. */
static void foreign_ram(void)
{
	char options[700], long_id[80];
	pid_t pid;

	memset(long_id, 'l', 70);
	long_id[70] = 0;
	snprintf(options, sizeof(options),
		 "-object memory-backend-ram,id=anon,size=1M "
		 "-object memory-backend-file,id=private,size=1M,mem-path=%s "
		 "-object memory-backend-file,id=elsewhere,size=1M,share=on,mem-path=%s "
		 "-object memory-backend-file,id=dir,size=1M,share=on,mem-path=%s "
		 "-object memory-backend-file,id=%s,size=1M,share=on,mem-path=%s",
		 scratch_path("a"), scratch_path("b"), scratch_dir(), long_id, scratch_path("c"));
	pid = read_guest(options);
	CHECK(json_array_size(json_object_get(guest.facts, "foreign")) == 5);
	CHECK(json_array_size(json_object_get(guest.facts, "regions")) == 0 && !guest.regions);
	CHECK_TEXT(why_foreign("anon"), "not a memory-backend-file");
	CHECK_TEXT(why_foreign("private"), "share=off");
	CHECK_HAS(why_foreign("elsewhere"), "not on a vmfastmig filesystem");
	CHECK_HAS(why_foreign("dir"), "not on a vmfastmig filesystem");
	CHECK_HAS(why_foreign(long_id), "too long");
	end(pid);
}

/* A mem-path is QEMU's word, and to open a device can do what its driver does then. */
static void not_opened(void)
{
	const char *path = scratch_path("fifo");
	pid_t pid;

	if (mkfifo(path, 0600))
		tap_give_up("no FIFO");
	pid = fork();
	if (!pid)
		_exit(open(path, O_WRONLY) < 0);	/* waits for one that opens it, too */
	usleep(300000);
	guest_init(&guest);
	guest_add_backend(&guest, &(struct guest_backend){
		.id = "ram0", .type = "memory-backend-file", .mem_path = path, .share = true });
	CHECK_HAS(why_foreign("ram0"), "not on a vmfastmig filesystem");
	usleep(300000);
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	guest_free(&guest);
}

static json_t *capability(json_t *list, const char *name)
{
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (!strcmp(json_string_value(json_object_get(one, "capability")), name))
			return json_object_get(one, "state");
	return NULL;
}

static bool has(const char *name, bool on)
{
	json_t *list = NULL, *state;
	bool is;

	CHECK(!qmp_call(&qmp, "query-migrate-capabilities", NULL, &list, &fault));
	state = capability(list, name);
	is = json_is_boolean(state) && json_is_true(state) == on;
	json_decref(list);
	return is;
}

static json_int_t parameter(const char *name)
{
	json_t *all = NULL;
	json_int_t value;

	CHECK(!qmp_call(&qmp, "query-migrate-parameters", NULL, &all, &fault));
	value = json_integer_value(json_object_get(all, name));
	json_decref(all);
	return value;
}

static void set_capability(const char *name, bool on)
{
	CHECK(!qmp_call(&qmp, "migrate-set-capabilities",
			json_pack("{s:[{s:s,s:b}]}", "capabilities",
		"capability", name, "state", on), NULL, &fault));
}

/* As we need them; then as they were, whatever that was. */
static void settings(void)
{
	static const char *const ours[] = { "x-ignore-shared", "return-path", "events",
					    "pause-before-switchover", "late-block-activate" };
	pid_t pid = read_guest("-object iothread,id=io0");
	json_t *before = NULL;
	size_t i;

	set_capability("multifd", true);
	set_capability("events", true);
	CHECK(!qmp_call(&qmp, "migrate-set-parameters", json_pack("{s:I,s:i}", "max-bandwidth",
		(json_int_t)77 << 20, "downtime-limit", 1234), NULL, &fault));
	CHECK(!guest_read_settings(&qmp, &before, &fault));
	CHECK(!guest_change_settings(&qmp, 50, before, &fault));
	for (i = 0; i < 5; i++)
		CHECK(has(ours[i], true));
	CHECK(has("multifd", false) && has("postcopy-ram", false));
	CHECK(parameter("downtime-limit") == 50);
	CHECK(parameter("max-bandwidth") > (json_int_t)1 << 30);

	guest_restore_settings(&qmp, before);
	for (i = 0; i < 5; i++)
		CHECK(has(ours[i], !strcmp(ours[i], "events")));
	CHECK(has("multifd", true));
	CHECK(parameter("downtime-limit") == 1234);
	CHECK(parameter("max-bandwidth") == (json_int_t)77 << 20);
	guest_restore_settings(&qmp, NULL);
	end(pid);
}

/* Whatever a user has switched on: it is no reason not to migrate. */
static void settings_of_users(void)
{
	pid_t pid = read_guest("-object iothread,id=io0");
	json_t *list = NULL, *one, *before;
	size_t i, tried = 0;

	CHECK(!qmp_call(&qmp, "query-migrate-capabilities", NULL, &list, &fault));
	json_array_foreach(list, i, one) {
		const char *name = json_string_value(json_object_get(one, "capability"));

		if (qmp_call(&qmp, "migrate-set-capabilities", json_pack("{s:[{s:s,s:b}]}",
			     "capabilities", "capability", name, "state", 1), NULL, &fault))
			continue;	/* this QEMU cannot, or not alone */
		tried++;
		before = NULL;
		CHECK(!guest_read_settings(&qmp, &before, &fault));
		if (!CHECK(!guest_change_settings(&qmp, 50, before, &fault)))
			CHECK_TEXT(fault.text, name);
		CHECK(has("x-ignore-shared", true) && has("return-path", true));
		guest_restore_settings(&qmp, before);
		CHECK(has(name, true));
		set_capability(name, false);
	}
	CHECK(tried >= 10);
	json_decref(list);
	end(pid);
}

/* An alias, and what it is in this version. */
static void machines(void)
{
	pid_t pid = read_guest("-object iothread,id=io0");
	json_t *names, *name;
	bool pc = false, none = false;
	size_t i;

	CHECK(!guest_read_machines(&guest, &qmp, &fault));
	names = json_object_get(guest.facts, "machines");
	CHECK(json_array_size(names) > 10);
	json_array_foreach(names, i, name) {
		pc |= !strncmp(json_string_value(name), "pc-i440fx-", 10);
		none |= !strcmp(json_string_value(name), "none");
	}
	CHECK(pc && none);
	end(pid);
}

static void status(void)
{
	pid_t pid = read_guest("-object iothread,id=io0");
	char text[32];

	CHECK(!guest_status(&qmp, text, sizeof(text), &fault));
	CHECK_TEXT(text, "prelaunch");
	CHECK(!qmp_call(&qmp, "cont", NULL, NULL, &fault));
	CHECK(!guest_status(&qmp, text, sizeof(text), &fault));
	CHECK_TEXT(text, "running");
	CHECK(!guest_status(&qmp, text, 4, &fault));
	CHECK_TEXT(text, "run");
	end(pid);
}

/* All but its RAM, which is not the module's here. */
static void agrees(const json_t *checks)
{
	json_t *check;
	size_t i;

	json_array_foreach(checks, i, check) {
		const char *name = json_string_value(json_object_get(check, "check"));

		if (!json_is_true(json_object_get(check, "ok")) && strcmp(name, "ram"))
			CHECK_TEXT(json_string_value(json_object_get(check, "detail")),
				   "all is well");
	}
	CHECK(json_array_size(checks) >= 13);
}

#define PC "-machine pc -m 32M -smp 2 -name vm"

/* Of a device that no guest has driven yet. */
static void virtio(void)
{
	pid_t pid = read_guest(PC " -device virtio-net-pci,id=n0,romfile=");
	json_t *list = json_object_get(guest.facts, "virtio"), *device = json_array_get(list, 0), *one;
	bool has_mac = false, has_reset = false;
	size_t i;

	CHECK(json_array_size(list) == 1);
	CHECK_TEXT(json_string_value(json_object_get(device, "name")), "virtio-net");
	CHECK_HAS(json_string_value(json_object_get(device, "path")), "/n0/");
	CHECK(json_array_size(json_object_get(device, "taken")) == 0);
	json_array_foreach(json_object_get(device, "offered"), i, one) {
		has_mac |= !strcmp(json_string_value(one), "VIRTIO_NET_F_MAC");
		has_reset |= !strcmp(json_string_value(one), "VIRTIO_F_RING_RESET");
	}
	CHECK(has_mac && has_reset && json_array_size(json_object_get(device, "offered")) > 10);
	CHECK(json_is_false(json_object_get(device, "nameless")));
	end(pid);
}

/* A guest and the one started for it, as QEMU tells of them. */
static void twins(void)
{
	pid_t pid = read_guest(PC), other;
	json_t *facts = json_incref(guest.facts), *checks = json_array();

	end(pid);
	json_object_set_new(facts, "status", json_string("running"));
	other = read_guest(PC " -incoming defer");
	CHECK_TEXT(guest_text(&guest, "status"), "inmigrate");
	CHECK(json_integer_value(json_object_get(guest.facts, "vcpus")) == 2);
	CHECK(json_array_size(json_object_get(guest.facts, "cpu_features")) > 0);
	preflight_source(checks, facts);
	preflight_sink(checks, facts, guest.facts, 1ULL << 40);
	agrees(checks);
	end(other);
	json_decref(checks);
	json_decref(facts);
}

int main(void)
{
	static const struct test tests[] = {
		{ "who it is", who_it_is },
		{ "a guest without a name", no_name },
		{ "RAM elsewhere", foreign_ram },
		{ "what is not ours is not opened", not_opened },
		{ "settings of a migration, and back", settings },
		{ "settings that users made", settings_of_users },
		{ "guests that it runs", nested },
		{ "the machines of a QEMU", machines },
		{ "status", status },
		{ "virtio devices", virtio },
		{ "a guest and the one that waits for it", twins },
	};

	return TAP_RUN(tests);
}

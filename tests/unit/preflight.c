// SPDX-License-Identifier: GPL-2.0-only
/* Facts in, verdicts out: each refusal, with what it says and its remedy. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "preflight.h"
#include "tap.h"

#define GIB (1ULL << 30)

/* A guest as guest_read() tells it. */
static json_t *facts(const char *status)
{
	json_error_t error;
	json_t *made = json_pack_ex(&error, 0,
		"{s:s,s:s,s:s,s:s,s:s,s:i,s:[i,i,i],s:[{s:s,s:I},{s:s,s:I}],s:[],s:[],"
		"s:[{s:s,s:s,s:I}],s:I,s:n,s:[{s:i,s:s,s:I},{s:i,s:i,s:s,s:I},{s:i,s:i,s:s,s:I}]}",
		"name", "vm", "status", status, "machine", "pc-i440fx-7.2-machine",
		"cpu", "EPYC-x86_64-cpu", "arch", "x86_64", "vcpus", 2, "qemu", 7, 2, 22,
		"regions", "id", "ram0", "bytes", (json_int_t)GIB,
		"id", "ram1", "bytes", (json_int_t)(2 * GIB), "foreign", "blockers",
		"disks", "device", "/machine/peripheral/d0", "file", "/vm.img",
		"bytes", (json_int_t)(8 * GIB), "present_bytes", (json_int_t)GIB, "migration",
		"cpu_features", "cpuid-input-eax", 1, "cpuid-register", "ECX", "features",
		(json_int_t)0xf7fa3203, "cpuid-input-eax", 7, "cpuid-input-ecx", 0, "cpuid-register",
		"EBX", "features", (json_int_t)0x9c01a9, "cpuid-input-eax", 7, "cpuid-input-ecx", 1,
		"cpuid-register", "EAX", "features", (json_int_t)0);

	if (!CHECK(made != NULL))
		CHECK_TEXT(error.text, "packed");
	return made;
}

static const char *text_of(const json_t *check, const char *key)
{
	return json_string_value(json_object_get(check, key)) ?: "";
}

/* The first check that was not passed. */
static json_t *refusal(const json_t *checks)
{
	json_t *check;
	size_t i;

	json_array_foreach(checks, i, check)
		if (!json_is_true(json_object_get(check, "ok")))
			return check;
	return NULL;
}

static void expect(const json_t *checks, const char *name, const char *detail, const char *remedy)
{
	json_t *check = refusal(checks);
	struct fault fault = { "" };

	if (!CHECK(check != NULL))
		return;
	CHECK_TEXT(text_of(check, "check"), name);
	CHECK_HAS(text_of(check, "detail"), detail);
	CHECK_HAS(text_of(check, "remedy"), remedy);
	CHECK(*text_of(check, "remedy"));
	CHECK(preflight_verdict(checks, &fault) == -1);
	CHECK_HAS(fault.text, detail);
	CHECK_HAS(fault.text, remedy);
}

/* Takes over @value: the source has it as @key. */
static void source_refuses(const char *key, json_t *value, const char *name, const char *detail,
			   const char *remedy)
{
	json_t *checks = json_array(), *guest = facts("running");

	json_object_set_new(guest, key, value);
	preflight_source(checks, guest);
	expect(checks, name, detail, remedy);
	json_decref(guest);
	json_decref(checks);
}

/* Takes over @offered and @waiting. */
static void sink_refuses(json_t *offered, json_t *waiting, uint64_t free_bytes, const char *name,
			 const char *detail, const char *remedy)
{
	json_t *checks = json_array();

	preflight_sink(checks, offered, waiting, free_bytes);
	expect(checks, name, detail, remedy);
	json_decref(offered);
	json_decref(waiting);
	json_decref(checks);
}

/* Takes over @offered and @waiting. */
static void sink_takes(json_t *offered, json_t *waiting)
{
	json_t *checks = json_array();
	struct fault fault = { "" };

	preflight_sink(checks, offered, waiting, 4 * GIB);
	CHECK(!preflight_verdict(checks, &fault));
	CHECK_TEXT(fault.text, "");
	json_decref(offered);
	json_decref(waiting);
	json_decref(checks);
}

/* Takes over @value: the guest that waits has it as @key. */
static void sink_refuses_waiting(const char *key, json_t *value, const char *name,
				 const char *detail, const char *remedy)
{
	json_t *waiting = facts("inmigrate");

	json_object_set_new(waiting, key, value);
	sink_refuses(facts("running"), waiting, 4 * GIB, name, detail, remedy);
}

static void all_good(void)
{
	static const char *const states[] = { "running", "paused" };
	struct fault fault = { "" };
	json_t *check;
	size_t i, j;

	for (i = 0; i < 2; i++) {
		json_t *checks = json_array(), *offered = facts(states[i]);
		json_t *waiting = facts("inmigrate");

		preflight_source(checks, offered);
		preflight_sink(checks, offered, waiting, GIB);
		CHECK(!preflight_verdict(checks, &fault));
		CHECK_TEXT(fault.text, "");
		CHECK(json_array_size(checks) >= 13);
		json_array_foreach(checks, j, check) {
			CHECK(json_is_true(json_object_get(check, "ok")));
			CHECK(*text_of(check, "check") && *text_of(check, "detail"));
			CHECK_TEXT(text_of(check, "remedy"), "");
		}
		json_decref(offered);
		json_decref(waiting);
		json_decref(checks);
	}
}

static void source_state(void)
{
	static const char *const bad[] = { "inmigrate", "postmigrate", "shutdown", "internal-error",
					   "io-error", "finish-migrate", "save-vm", "" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		source_refuses("status", json_string(bad[i]), "state", bad[i],
			       "it must be running or paused");
}

static void source_migrates(void)
{
	static const char *const bad[] = { "setup", "active", "pre-switchover", "device",
					   "postcopy-active", "postcopy-paused", "cancelling" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		source_refuses("migration", json_string(bad[i]), "migration", bad[i],
			       "wait for it or cancel it");
}

static void source_migrated_before(void)
{
	static const char *const good[] = { "none", "completed", "failed", "cancelled" };
	struct fault fault = { "" };
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		json_t *checks = json_array(), *guest = facts("running");

		json_object_set_new(guest, "migration", json_string(good[i]));
		preflight_source(checks, guest);
		CHECK(!preflight_verdict(checks, &fault));
		json_decref(guest);
		json_decref(checks);
	}
}

static void nested(void)
{
	source_refuses("nested", json_integer(2), "nested", "2 vCPU(s)", "force");
}

static void blockers(void)
{
	source_refuses("blockers", json_pack("[s]", "device v0 is a VFIO device: unplug it"),
		       "blockers", "VFIO", "remove what blocks");
}

static const json_t *find_check(const json_t *checks, const char *name)
{
	json_t *check;
	size_t i;

	json_array_foreach(checks, i, check)
		if (!strcmp(text_of(check, "check"), name))
			return check;
	return NULL;
}

/* A QEMU that knows rdmafast: tells us of no blockers, disks or devices: nothing is said of them. */
static void what_a_native_one_does_not_tell(void)
{
	json_t *checks = json_array(), *guest = facts("running"), *waiting = facts("inmigrate");

	preflight_source(checks, guest);
	preflight_sink(checks, guest, waiting, 4 * GIB);
	CHECK(find_check(checks, "blockers") && find_check(checks, "disks"));
	json_array_clear(checks);
	json_object_set_new(guest, "native", json_true());
	json_object_set_new(guest, "disks", json_array());
	json_object_set_new(guest, "virtio", json_array());
	preflight_source(checks, guest);
	preflight_sink(checks, guest, waiting, 4 * GIB);
	CHECK(!find_check(checks, "blockers") && !find_check(checks, "disks") &&
	      !find_check(checks, "virtio"));
	json_decref(waiting);
	json_decref(guest);
	json_decref(checks);
}

static void every_blocker_is_told(void)
{
	json_t *checks = json_array(), *guest = facts("running"), *check;
	size_t i, refused = 0;

	json_object_set_new(guest, "blockers", json_pack("[s,s,s]", "one", "two", "three"));
	preflight_source(checks, guest);
	json_array_foreach(checks, i, check)
		refused += json_is_false(json_object_get(check, "ok"));
	CHECK(refused == 3);
	json_decref(guest);
	json_decref(checks);
}

static json_t *foreign(const char *why)
{
	return json_pack("[{s:s,s:s,s:s}]", "id", "ram0", "type", "child<memory-backend-ram>",
			 "why", why);
}

static void ram(void)
{
	source_refuses("foreign", foreign("not a memory-backend-file"), "ram",
		       "source: backend ram0 (child<memory-backend-ram>): not a memory-backend-file",
		       "mem-path=/dev/vmfastmig/NAME,share=on,align=2M");
	source_refuses("regions", json_array(), "ram", "source: no memory backend",
		       "give -machine memory-backend=ID");
	sink_refuses_waiting("foreign", foreign("share=off"), "ram", "destination: backend ram0",
			     "share=on");
	sink_refuses_waiting("regions", json_array(), "ram", "destination: no memory backend",
			     "memory-backend=ID");
}

/* libvirt looks at the rest itself, and its domain may not be there yet. */
static void libvirt(void)
{
	json_t *checks = json_array(), *offered = json_pack("{s:s,s:[],s:I}", "libvirt", "vm",
							    "foreign", "present_bytes", (json_int_t)GIB);
	json_t *waiting = json_pack("{s:s,s:[],s:[]}", "libvirt", "vm", "foreign", "regions");

	json_object_set_new(offered, "regions", json_pack("[{s:s,s:I}]", "id", "pc.ram", "bytes",
							  (json_int_t)GIB));
	preflight_source(checks, offered);
	preflight_libvirt(checks, offered, NULL, GIB);
	preflight_libvirt(checks, offered, offered, GIB);
	CHECK(!refusal(checks));
	json_array_clear(checks);
	preflight_libvirt(checks, offered, waiting, GIB);
	expect(checks, "ram", "destination: no memory backend", "memory_backing_dir = \"/dev/vmfastmig\"");
	json_array_clear(checks);
	preflight_libvirt(checks, offered, NULL, GIB - 1);
	expect(checks, "memory", "1023 MiB free", "free some");
	json_array_clear(checks);
	json_object_set_new(offered, "foreign", foreign("not a memory-backend-file"));
	preflight_source(checks, offered);
	expect(checks, "ram", "source: backend ram0", "<source type='file'/><access mode='shared'/>");
	json_decref(offered);
	json_decref(waiting);
	json_decref(checks);
}

static void waiting_state(void)
{
	static const char *const bad[] = { "running", "paused", "prelaunch", "" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		sink_refuses(facts("running"), facts(bad[i]), 4 * GIB, "waiting", bad[i],
			     "-incoming defer");
}

static void differing(void)
{
	sink_refuses_waiting("arch", json_string("aarch64"), "arch",
			     "source has x86_64, destination aarch64", "cannot change");
	sink_refuses_waiting("cpu", json_string("max-x86_64-cpu"), "cpu",
			     "source has EPYC-x86_64-cpu, destination max-x86_64-cpu", "same -cpu");
}

/* -machine pc of two QEMUs; @has is what the destination's has. */
static void machine(const char *from, const char *to, const char *has, const char *remedy)
{
	json_t *offered = facts("running"), *waiting = facts("inmigrate");
	char detail[160];

	snprintf(detail, sizeof(detail), "source has %s-machine, destination %s-machine", from, to);
	json_object_set_new(offered, "machine", json_sprintf("%s-machine", from));
	json_object_set_new(waiting, "machine", json_sprintf("%s-machine", to));
	json_object_set_new(waiting, "machines", json_pack("[s,s,s]", "pc", has, to));
	sink_refuses(offered, waiting, 4 * GIB, "machine", detail, remedy);
}

static void machines(void)
{
	machine("pc-i440fx-7.2", "pc-i440fx-10.0", "pc-i440fx-7.2",
		"start the destination's QEMU with -machine pc-i440fx-7.2");
	machine("pc-q35-7.2", "pc-i440fx-7.2", "pc-q35-7.2",
		"start the destination's QEMU with -machine pc-q35-7.2");
	machine("pc-i440fx-10.0", "pc-i440fx-7.2", "pc-i440fx-7.1",
		"the destination's QEMU has no pc-i440fx-10.0: start the guest anew with a versioned -machine");
	machine("pc-i440fx-10.0", "pc-i440fx-10.0.1", "pc-i440fx-10.0-machine",
		"has no pc-i440fx-10.0:");
}

/* A guest whose virtio devices are these; the last of @names is NULL. */
static json_t *with_virtio(const char *status, const char *path, const char *key,
			   const char *const *names, bool nameless)
{
	json_t *guest = facts(status), *list = json_array();

	for (; *names; names++)
		json_array_append_new(list, json_string(*names));
	json_object_set_new(guest, "virtio", json_pack("[{s:s,s:s,s:o,s:b}]", "path", path, "name",
						       "virtio-net", key, list, "nameless", nameless));
	return guest;
}

static const char *const taken[] = { "VIRTIO_F_VERSION_1", "VIRTIO_F_RING_RESET", NULL };

/* A feature of a newer kernel's vhost. */
static void virtio_features(void)
{
	sink_refuses(with_virtio("running", "/net", "taken", taken, false),
		     with_virtio("inmigrate", "/net", "offered", (const char *[]){
			"VIRTIO_F_VERSION_1", "VIRTIO_NET_F_MAC", NULL }, false), 4 * GIB, "virtio",
		     "uses VIRTIO_F_RING_RESET of its virtio-net", "queue_reset=off");
}

/* They are other ones with another machine, which is to be told then. */
static void virtio_of_another_machine(void)
{
	json_t *waiting = with_virtio("inmigrate", "/net", "offered", taken + 1, false);
	json_t *offered = with_virtio("running", "/net", "taken", taken, false);
	json_t *checks = json_array(), *check;
	size_t i;

	json_object_set_new(waiting, "machine", json_string("pc-q35-7.2-machine"));
	preflight_sink(checks, offered, waiting, 4 * GIB);
	CHECK_TEXT(text_of(refusal(checks), "check"), "machine");
	json_array_foreach(checks, i, check)
		CHECK(strcmp(text_of(check, "check"), "virtio"));
	json_decref(offered);
	json_decref(waiting);
	json_decref(checks);
}

/* All there; another device; names that the QEMU there may not know. */
static void virtio_features_enough(void)
{
	static const struct {
		const char *path;
		const char *offered[4];
		bool nameless;
	} good[] = {
		{ "/net", { "VIRTIO_F_RING_RESET", "VIRTIO_NET_F_MAC", "VIRTIO_F_VERSION_1" }, false },
		{ "/other", { NULL }, false },
		{ "/net", { "VIRTIO_F_VERSION_1" }, true },
	};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		sink_takes(with_virtio("running", "/net", "taken", taken, false),
			   with_virtio("inmigrate", good[i].path, "offered", good[i].offered,
				       good[i].nameless));
}

/* The word of @facts at @at, with @features. */
static void set_word(json_t *guest, size_t at, json_int_t features)
{
	json_object_set_new(json_array_get(json_object_get(guest, "cpu_features"), at), "features",
			    json_integer(features));
}

/* -cpu host is one name for two CPUs. */
static void cpu_features(void)
{
	json_t *waiting = facts("inmigrate");

	set_word(waiting, 0, 0xf7fa3203 & ~(1 << 28));
	sink_refuses(facts("running"), waiting, 4 * GIB, "cpu-features",
		     "0x10000000 of CPUID 0x1 ECX", "named -cpu model");
	waiting = facts("inmigrate");
	set_word(waiting, 1, 0x9c0128);
	sink_refuses(facts("running"), waiting, 4 * GIB, "cpu-features", "0x81 of CPUID 0x7 EBX",
		     "named -cpu model");
	waiting = facts("inmigrate");
	json_array_clear(json_object_get(waiting, "cpu_features"));
	sink_refuses(facts("running"), waiting, 4 * GIB, "cpu-features", "CPUID 0x1 ECX",
		     "named -cpu model");
}

static void more_cpu_features(void)
{
	json_t *waiting = facts("inmigrate");

	set_word(waiting, 0, 0xffffffff);
	set_word(waiting, 2, 0x30);
	sink_takes(facts("running"), waiting);
}

static void notes(void)
{
	json_t *checks = json_array();
	struct fault fault;

	fail(&fault, "RDMA does not reach 10.0.0.2: x; is there a device?");
	preflight_note(checks, "rdma", 0, NULL, "rxe0; fine");
	CHECK(!preflight_verdict(checks, &fault));
	CHECK_TEXT(text_of(json_array_get(checks, 0), "detail"), "rxe0; fine");
	preflight_note(checks, "rdma", -1, &fault, "");
	expect(checks, "rdma", "RDMA does not reach 10.0.0.2: x", "is there a device?");
	CHECK_TEXT(text_of(json_array_get(checks, 1), "detail"), "RDMA does not reach 10.0.0.2: x");
	json_decref(checks);
}

/* QEMU would find that out only while the guest stands still. */
static void vcpus(void)
{
	sink_refuses_waiting("vcpus", json_integer(4), "vcpus", "source has 2, destination 4",
			     "-smp");
}

static void versions(void)
{
	static const int bad[][2] = { { 7, 1 }, { 7, 0 }, { 6, 2 }, { 2, 12 } };
	static const int good[][2] = { { 7, 2 }, { 8, 0 }, { 10, 1 } };
	struct fault fault = { "" };
	char detail[32];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(detail, sizeof(detail), "destination %d.%d", bad[i][0], bad[i][1]);
		sink_refuses_waiting("qemu", json_pack("[i,i,i]", bad[i][0], bad[i][1], 0), "qemu",
				     detail, "7.2 or newer");
	}
	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		json_t *checks = json_array(), *offered = facts("running");
		json_t *waiting = facts("inmigrate");

		json_object_set_new(waiting, "qemu",
				    json_pack("[i,i,i]", good[i][0], good[i][1], 0));
		preflight_sink(checks, offered, waiting, 4 * GIB);
		CHECK(!preflight_verdict(checks, &fault));
		json_decref(offered);
		json_decref(waiting);
		json_decref(checks);
	}
}

static void regions(void)
{
	sink_refuses_waiting("regions",
			     json_pack("[{s:s,s:I}]", "id", "ram0", "bytes", (json_int_t)GIB),
			     "regions", "source has 2 RAM regions, destination 1", "same -object");
	sink_refuses_waiting("regions", json_pack("[{s:s,s:I},{s:s,s:I}]", "id", "ram0", "bytes",
						  (json_int_t)GIB, "id", "other", "bytes",
						  (json_int_t)(2 * GIB)),
			     "regions", "region ram1 is not on the destination", "same -object");
	sink_refuses_waiting("regions", json_pack("[{s:s,s:I},{s:s,s:I}]", "id", "ram0", "bytes",
						  (json_int_t)(GIB / 2), "id", "ram1", "bytes",
						  (json_int_t)(2 * GIB)),
			     "regions", "1073741824 bytes on the source, 536870912", "same size");
}

/* A peer's list: a name that comes twice must not stand in for another one. */
static void region_named_twice(void)
{
	json_t *offered = facts("running");

	json_object_set_new(offered, "regions", json_pack("[{s:s,s:I},{s:s,s:I}]", "id", "ram0",
		"bytes", (json_int_t)GIB, "id", "ram0", "bytes", (json_int_t)GIB));
	sink_refuses(offered, facts("inmigrate"), 4 * GIB, "regions", "ram0", "-object");
}

static void regions_in_any_order(void)
{
	json_t *checks = json_array(), *offered = facts("running"), *waiting = facts("inmigrate");
	struct fault fault = { "" };

	json_object_set_new(waiting, "regions", json_pack("[{s:s,s:I},{s:s,s:I}]", "id", "ram1",
		"bytes", (json_int_t)(2 * GIB), "id", "ram0", "bytes", (json_int_t)GIB));
	preflight_sink(checks, offered, waiting, 4 * GIB);
	CHECK(!preflight_verdict(checks, &fault));
	json_decref(offered);
	json_decref(waiting);
	json_decref(checks);
}

static void disks(void)
{
	sink_refuses_waiting("disks", json_array(), "disks", "source has 1 disks, destination 0",
			     "same disks");
	sink_refuses_waiting("disks",
			     json_pack("[{s:s,s:s,s:I}]", "device", "d0", "file", "/else.img",
						"bytes", (json_int_t)GIB),
			     "disks", "disk /vm.img has 8589934592 bytes, destination's /else.img has 1073741824",
			     "same storage");
}

static void memory(void)
{
	sink_refuses(facts("running"), facts("inmigrate"), GIB - 1, "memory",
		     "destination has 1023 MiB free, the guest uses 1024 MiB", "free some");
}

/* An empty offer is refused, whatever a peer left out. */
static void nothing_offered(void)
{
	sink_refuses(json_object(), facts("inmigrate"), 4 * GIB, "qemu", "source 0.0", "7.2");
}

static char *repeated(char *text, size_t bytes, const char *what)
{
	*text = 0;
	while (strlen(text) + strlen(what) < bytes)
		strcat(text, what);
	return text;
}

/* What a peer or a user named is long, or has more than ASCII: the refusal stays. */
static void long_texts(void)
{
	static const char *const pieces[] = { "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa7" };
	json_t *checks = json_array(), *offered = facts("running"), *waiting = facts("inmigrate");
	char text[700], shifted[704];
	struct fault fault;
	size_t i, shift;

	for (i = 0; i < 4; i++)
		for (shift = 0; shift < 4; shift++) {
			memset(shifted, 'a', shift);
			strcpy(shifted + shift, repeated(text, sizeof(text) - 4, pieces[i]));
			json_object_set_new(waiting, "cpu", json_string(shifted));
			json_array_clear(checks);
			preflight_sink(checks, offered, waiting, 4 * GIB);
			CHECK_TEXT(text_of(refusal(checks), "check"), "cpu");
			CHECK_HAS(text_of(refusal(checks), "remedy"), "same -cpu");
			CHECK(preflight_verdict(checks, &fault) == -1);
		}
	json_decref(waiting);
	json_decref(offered);
	json_decref(checks);
}

/* "; " is what remedies begin with, and may be in a name. */
static void semicolons(void)
{
	json_t *waiting = facts("inmigrate"), *checks = json_array(), *offered = facts("running");

	json_object_set_new(waiting, "machine", json_string("a; b"));
	preflight_sink(checks, offered, waiting, 4 * GIB);
	CHECK_TEXT(text_of(refusal(checks), "detail"),
		   "source has pc-i440fx-7.2-machine, destination a; b");
	CHECK_HAS(text_of(refusal(checks), "remedy"), "with -machine pc-i440fx-7.2");
	json_decref(waiting);
	json_decref(offered);
	json_decref(checks);
}

/* Checks come over the wire, too: what is none is no good one. */
static void verdicts(void)
{
	json_t *checks = json_pack("[{s:b,s:s},{s:s,s:s,s:s}]", "ok", 1, "detail", "fine",
				   "ok", "yes", "detail", "odd", "remedy", "mend it");
	json_t *odd = json_pack("[i]", 1), *none = json_array();
	struct fault fault = { "" };

	CHECK(preflight_verdict(checks, &fault) == -1);
	CHECK_TEXT(fault.text, "odd: mend it");
	CHECK(preflight_verdict(odd, &fault) == -1);
	CHECK(!preflight_verdict(none, &fault));
	json_decref(checks);
	json_decref(odd);
	json_decref(none);
}

int main(void)
{
	static const struct test tests[] = {
		{ "a guest that may go", all_good },
		{ "source's state", source_state },
		{ "source migrates already", source_migrates },
		{ "source's earlier migrations", source_migrated_before },
		{ "guests of the guest", nested },
		{ "blockers", blockers },
		{ "every blocker is told", every_blocker_is_told },
		{ "what a QEMU that knows rdmafast: does not tell", what_a_native_one_does_not_tell },
		{ "a domain of libvirt's", libvirt },
		{ "RAM elsewhere", ram },
		{ "destination does not wait", waiting_state },
		{ "differing architecture, CPU", differing },
		{ "differing machines, which the destination has or has not", machines },
		{ "the destination's CPU lacks features", cpu_features },
		{ "the destination's CPU has more features", more_cpu_features },
		{ "virtio features that the destination lacks", virtio_features },
		{ "virtio features that are no obstacle", virtio_features_enough },
		{ "virtio features of another machine", virtio_of_another_machine },
		{ "what other parts found out", notes },
		{ "differing number of vCPUs", vcpus },
		{ "versions of QEMU", versions },
		{ "regions", regions },
		{ "a region named twice", region_named_twice },
		{ "regions in any order", regions_in_any_order },
		{ "disks", disks },
		{ "memory", memory },
		{ "nothing offered", nothing_offered },
		{ "long texts, cut within a character", long_texts },
		{ "semicolons in names", semicolons },
		{ "verdicts", verdicts },
	};

	return TAP_RUN(tests);
}

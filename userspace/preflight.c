// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preflight.h"

#define LIBVIRT_RAM "have <memoryBacking><source type='file'/><access mode='shared'/></memoryBacking> in its XML and memory_backing_dir = \"/dev/vmfastmig\" in /etc/libvirt/qemu.conf, restart libvirtd, then the domain"

/* @remedy (may be NULL): what to do about it. */
__attribute__((format(printf, 5, 6)))
static void add(json_t *checks, const char *check, bool ok, const char *remedy,
		const char *format, ...)
{
	char *detail = NULL, *todo = strdup(ok || !remedy ? "" : remedy);
	va_list args;

	va_start(args, format);
	if (!todo || vasprintf(&detail, format, args) < 0)
		abort();	/* a check that is lost would be one that was passed */
	va_end(args);
	/* An array takes nothing else in. */
	text_to_utf8(detail);
	text_to_utf8(todo);
	json_array_append_new(checks, json_pack("{s:s,s:b,s:s,s:s}", "check", check, "ok", ok,
						"detail", detail, "remedy", todo));
	free(detail);
	free(todo);
}

static const char *text_of(const json_t *facts, const char *key)
{
	const char *text = json_string_value(json_object_get(facts, key));

	return text ? text : "";
}

static void check_ram(json_t *checks, const json_t *facts, const char *side)
{
	json_t *foreign = json_object_get(facts, "foreign"), *one;
	bool libvirt = json_object_get(facts, "libvirt");
	size_t i;

	json_array_foreach(foreign, i, one)
		add(checks, "ram", false, libvirt ? LIBVIRT_RAM :
		    "use -object memory-backend-file,id=ID,mem-path=/dev/vmfastmig/NAME,share=on,align=2M,size=...",
		    "%s: backend %s (%s): %s", side, text_of(one, "id"), text_of(one, "type"),
		    text_of(one, "why"));
	if (!json_array_size(foreign) && !json_array_size(json_object_get(facts, "regions")))
		add(checks, "ram", false, libvirt ? LIBVIRT_RAM :
		    "give -machine memory-backend=ID one on /dev/vmfastmig",
		    "%s: no memory backend", side);
	else if (!json_array_size(foreign))
		add(checks, "ram", true, NULL, "%s: %zu region(s) on vmfastmig files", side,
		    json_array_size(json_object_get(facts, "regions")));
}

static void check_migration(json_t *checks, const json_t *facts)
{
	const char *is = text_of(facts, "migration");
	bool piped = json_is_true(json_object_get(facts, "piped"));
	bool under_way = !strcmp(is, "setup") || !strcmp(is, "active");
	bool none = !*is || !strcmp(is, "none") || !strcmp(is, "completed") ||
		    !strcmp(is, "failed") || !strcmp(is, "cancelled");

	if (piped)
		add(checks, "migration", under_way, "begin it anew", "source: its migration is %s",
		    *is ? is : "none");
	else
		add(checks, "migration", none, "wait for it or cancel it",
		    none ? "source: no migration under way" : "source: a migration is %s already",
		    is);
}

static void check_nested(json_t *checks, const json_t *facts)
{
	int within = json_integer_value(json_object_get(facts, "nested"));

	if (within > 0)
		add(checks, "nested", false,
		    "pause the guests that it runs; or try, with force: the final round fails after 2 s unless they happen to be out of them",
		    "source: %d vCPU(s) are in guests that the guest runs, and KVM on Intel holds pages of it for as long",
		    within);
}

/* A QEMU that knows rdmafast: looks at blockers and disks itself, and tells us of none. */
static bool is_native(const json_t *facts)
{
	return json_is_true(json_object_get(facts, "native"));
}

static void check_source(json_t *checks, const json_t *facts)
{
	json_t *blockers = json_object_get(facts, "blockers"), *reason;
	const char *status = text_of(facts, "status");
	bool ok = !strcmp(status, "running") || !strcmp(status, "paused");
	size_t i;

	check_ram(checks, facts, "source");
	add(checks, "state", ok, "it must be running or paused", "source: guest is %s", status);
	check_migration(checks, facts);
	json_array_foreach(blockers, i, reason)
		add(checks, "blockers", false, "remove what blocks", "%s",
		    json_string_value(reason) ?: "?");
	if (!json_array_size(blockers) && !is_native(facts))
		add(checks, "blockers", true, NULL, "source: no device blocks migration");
	check_nested(checks, facts);
}

/* What QEMU has libvirt has looked at, or will. */
void preflight_source(json_t *checks, const json_t *facts)
{
	if (json_object_get(facts, "libvirt"))
		check_ram(checks, facts, "source");
	else
		check_source(checks, facts);
}

static void check_same(json_t *checks, const char *check, const json_t *offered,
		       const json_t *waiting, const char *remedy)
{
	const char *theirs = text_of(offered, check), *ours = text_of(waiting, check);

	if (!strcmp(theirs, ours))
		add(checks, check, true, NULL, "%s on both", ours);
	else
		add(checks, check, false, remedy, "source has %s, destination %s", theirs, ours);
}

/* QEMU's type of a machine is what -machine calls it, and "-machine". */
static void machine_name(const char *type, char *name, size_t bytes)
{
	size_t length = strlen(type);

	if (length > 8 && !strcmp(type + length - 8, "-machine"))
		length -= 8;
	snprintf(name, bytes, "%.*s", (int)length, type);
}

static bool is_in(const json_t *names, const char *name)
{
	json_t *one;
	size_t i;

	json_array_foreach(names, i, one)
		if (!strcmp(json_string_value(one) ?: "", name))
			return true;
	return false;
}

/* An unversioned name, as q35, is another machine in each version of QEMU. */
static void check_machine(json_t *checks, const json_t *offered, const json_t *waiting)
{
	const json_t *machines = json_object_get(waiting, "machines");	/* NULL: not told */
	char name[64], todo[192];

	machine_name(text_of(offered, "machine"), name, sizeof(name));
	if (!machines || is_in(machines, name))
		snprintf(todo, sizeof(todo), "start the destination's QEMU with -machine %s", name);
	else
		snprintf(todo, sizeof(todo),
			 "the destination's QEMU has no %s: start the guest anew with a versioned -machine that both QEMUs have",
			 *name ? name : "such machine");
	check_same(checks, "machine", offered, waiting, todo);
}

static void check_vcpus(json_t *checks, const json_t *offered, const json_t *waiting)
{
	json_int_t from = json_integer_value(json_object_get(offered, "vcpus"));
	json_int_t to = json_integer_value(json_object_get(waiting, "vcpus"));

	add(checks, "vcpus", from == to, "give both the same -smp",
	    "source has %" PRId64 ", destination %" PRId64, (int64_t)from, (int64_t)to);
}

static json_t *find_word(const json_t *words, const json_t *like)
{
	static const char *const keys[] = { "cpuid-input-eax", "cpuid-input-ecx", "cpuid-register" };
	json_t *word, *is, *wanted;
	size_t i, k;

	json_array_foreach(words, i, word) {
		for (k = 0; k < 3; k++) {
			is = json_object_get(word, keys[k]);
			wanted = json_object_get(like, keys[k]);
			/* Many have no ECX, and none is not json_equal() to none. */
			if ((is || wanted) && !json_equal(is, wanted))
				break;
		}
		if (k == 3)
			return word;
	}
	return NULL;
}

/* What CPUID shows the guest on the source must be there on the destination. */
static void check_features(json_t *checks, const json_t *offered, const json_t *waiting)
{
	json_t *ours = json_object_get(waiting, "cpu_features"), *word;
	size_t i;

	json_array_foreach(json_object_get(offered, "cpu_features"), i, word) {
		json_int_t has = json_integer_value(json_object_get(find_word(ours, word), "features"));
		json_int_t wants = json_integer_value(json_object_get(word, "features"));

		if (!(wants & ~has))
			continue;
		add(checks, "cpu-features", false, "give both a named -cpu model that both hosts can run",
		    "the destination's CPU lacks bits %#" PRIx64 " of CPUID %#" PRIx64 " %s",
		    (uint64_t)(wants & ~has),
		    (uint64_t)json_integer_value(json_object_get(word, "cpuid-input-eax")),
		    text_of(word, "cpuid-register"));
		return;
	}
	add(checks, "cpu-features", true, NULL, "the destination has all the guest sees");
}

static json_t *find_region(const json_t *facts, const char *id)
{
	json_t *regions = json_object_get(facts, "regions"), *region;
	size_t i;

	json_array_foreach(regions, i, region)
		if (!strcmp(text_of(region, "id"), id))
			return region;
	return NULL;
}

static json_int_t bytes_of(const json_t *region)
{
	return json_integer_value(json_object_get(region, "bytes"));
}

static bool is_named_twice(const json_t *regions, const char *id)
{
	json_t *region;
	size_t i, count = 0;

	json_array_foreach(regions, i, region)
		count += !strcmp(text_of(region, "id"), id);
	return count > 1;
}

static void check_regions(json_t *checks, const json_t *offered, const json_t *waiting)
{
	json_t *theirs = json_object_get(offered, "regions");
	json_t *ours = json_object_get(waiting, "regions"), *region;
	bool ok = json_array_size(theirs) == json_array_size(ours);
	size_t i;

	if (!ok)
		add(checks, "regions", false, "start both with the same -object options",
		    "source has %zu RAM regions, destination %zu",
		    json_array_size(theirs), json_array_size(ours));
	json_array_foreach(theirs, i, region) {
		const char *id = text_of(region, "id");
		json_t *twin = find_region(waiting, id);

		bool twice = is_named_twice(theirs, id);

		if (!twin || twice)
			add(checks, "regions", false, "start both with the same -object options",
			    "region %s is %s", id, twin ? "named twice" : "not on the destination");
		else if (bytes_of(twin) != bytes_of(region))
			add(checks, "regions", false, "start both with the same size",
			    "region %s has %" PRId64 " bytes on the source, %" PRId64 " on the destination",
			    id, (int64_t)bytes_of(region), (int64_t)bytes_of(twin));
		ok = ok && twin && !twice && bytes_of(twin) == bytes_of(region);
	}
	if (ok)
		add(checks, "regions", true, NULL, "same on both");
}

static void check_disks(json_t *checks, const json_t *offered, const json_t *waiting)
{
	json_t *theirs = json_object_get(offered, "disks");
	json_t *ours = json_object_get(waiting, "disks"), *disk;
	size_t i;
	bool ok = json_array_size(theirs) == json_array_size(ours);

	if (is_native(offered) || is_native(waiting))
		return;
	if (!ok)
		add(checks, "disks", false, "start both with the same disks",
		    "source has %zu disks, destination %zu", json_array_size(theirs),
		    json_array_size(ours));
	json_array_foreach(theirs, i, disk) {
		json_t *twin = json_array_get(ours, i);

		if (!twin || bytes_of(disk) == bytes_of(twin))
			continue;
		ok = false;
		add(checks, "disks", false, "both must be the same storage",
		    "disk %s has %" PRId64 " bytes, destination's %s has %" PRId64,
		    text_of(disk, "file"), (int64_t)bytes_of(disk), text_of(twin, "file"),
		    (int64_t)bytes_of(twin));
	}
	if (ok)
		add(checks, "disks", true, NULL, "%zu, of equal size", json_array_size(theirs));
}

static json_t *find_virtio(const json_t *facts, const char *path)
{
	json_t *device;
	size_t i;

	json_array_foreach(json_object_get(facts, "virtio"), i, device)
		if (!strcmp(text_of(device, "path"), path))
			return device;
	return NULL;
}

/* The first that @taken has and @offered has not, or NULL. */
static const char *lacking_feature(const json_t *taken, const json_t *offered)
{
	json_t *one;
	size_t i;

	json_array_foreach(taken, i, one)
		if (!is_in(offered, json_string_value(one) ?: ""))
			return json_string_value(one);
	return NULL;
}

/*
 * QEMU would find that out only while the guest stands still. A device that is not there
 * is not ours to judge, nor one with features that the QEMU there has no names for; and
 * another machine has other features.
 */
static void check_virtio(json_t *checks, const json_t *offered, const json_t *waiting)
{
	json_t *device;
	bool ok = true;
	size_t i;

	if (strcmp(text_of(offered, "machine"), text_of(waiting, "machine")))
		return;
	json_array_foreach(json_object_get(offered, "virtio"), i, device) {
		json_t *twin = find_virtio(waiting, text_of(device, "path"));
		const char *lacks = lacking_feature(json_object_get(device, "taken"),
						    json_object_get(twin, "offered"));

		if (!twin || json_is_true(json_object_get(twin, "nameless")) || !lacks)
			continue;
		ok = false;
		add(checks, "virtio", false,
		    "start both with the same -device options; where the kernel there is older, start the guest anew with vhost=off, or without the feature (queue_reset=off for VIRTIO_F_RING_RESET)",
		    "the guest uses %s of its %s, which the destination's does not offer", lacks,
		    text_of(device, "name"));
	}
	if (ok && json_array_size(json_object_get(offered, "virtio")))
		add(checks, "virtio", true, NULL, "the destination offers what the guest uses");
}

/* x-ignore-shared with a return path, late activation of disks: 7.2. */
static bool is_new_enough(const json_t *version)
{
	json_int_t major = json_integer_value(json_array_get(version, 0));

	return major > 7 || (major == 7 && json_integer_value(json_array_get(version, 1)) >= 2);
}

static void check_version(json_t *checks, const json_t *offered, const json_t *waiting)
{
	json_t *theirs = json_object_get(offered, "qemu"), *ours = json_object_get(waiting, "qemu");
	json_int_t from = json_integer_value(json_array_get(theirs, 0));
	json_int_t to = json_integer_value(json_array_get(ours, 0));

	add(checks, "qemu", is_new_enough(theirs) && is_new_enough(ours), "needed: 7.2 or newer",
	    "source %" PRId64 ".%" PRId64 ", destination %" PRId64 ".%" PRId64,
	    (int64_t)from, (int64_t)json_integer_value(json_array_get(theirs, 1)),
	    (int64_t)to, (int64_t)json_integer_value(json_array_get(ours, 1)));
}

static void check_memory(json_t *checks, const json_t *offered, uint64_t free_bytes)
{
	uint64_t wanted = json_integer_value(json_object_get(offered, "present_bytes"));

	if (wanted > free_bytes)
		add(checks, "memory", false, "free some, or raise the size option of /dev/vmfastmig",
		    "destination has %" PRIu64 " MiB free, the guest uses %" PRIu64 " MiB",
		    free_bytes >> 20, wanted >> 20);
	else
		add(checks, "memory", true, NULL,
		    "destination has %" PRIu64 " MiB free, %" PRIu64 " MiB used", free_bytes >> 20, wanted >> 20);
}

void preflight_libvirt(json_t *checks, const json_t *offered, const json_t *waiting,
		       uint64_t free_bytes)
{
	if (waiting) {
		check_ram(checks, waiting, "destination");
		check_regions(checks, offered, waiting);
	}
	check_memory(checks, offered, free_bytes);
}

void preflight_sink(json_t *checks, const json_t *offered, const json_t *waiting,
		    uint64_t free_bytes)
{
	const char *status = text_of(waiting, "status");

	check_ram(checks, waiting, "destination");
	if (strcmp(status, "inmigrate"))
		add(checks, "waiting", false, "start it with -incoming defer",
		    "destination: guest is %s", status);
	else
		add(checks, "waiting", true, NULL, "destination: waits for a migration");
	check_version(checks, offered, waiting);
	check_same(checks, "arch", offered, waiting, "a guest cannot change its architecture");
	check_machine(checks, offered, waiting);
	check_same(checks, "cpu", offered, waiting,
		   "give both the same -cpu, one that both hosts can run");
	check_features(checks, offered, waiting);
	check_vcpus(checks, offered, waiting);
	check_regions(checks, offered, waiting);
	check_disks(checks, offered, waiting);
	check_virtio(checks, offered, waiting);
	check_memory(checks, offered, free_bytes);
}

/* A fault has its remedy behind "; ". */
void preflight_note(json_t *checks, const char *check, int err, const struct fault *fault,
		    const char *detail)
{
	const char *remedy = err ? strstr(fault->text, "; ") : NULL;

	if (err)
		add(checks, check, false, remedy ? remedy + 2 : NULL, "%.*s",
		    (int)(remedy ? remedy - fault->text : (long)strlen(fault->text)), fault->text);
	else
		add(checks, check, true, NULL, "%s", detail);
}

int preflight_verdict(const json_t *checks, struct fault *fault)
{
	json_t *check;
	size_t i;

	json_array_foreach(checks, i, check) {
		if (json_is_true(json_object_get(check, "ok")))
			continue;
		return fail(fault, "%s%s%s", text_of(check, "detail"),
			    *text_of(check, "remedy") ? ": " : "", text_of(check, "remedy"));
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests that a guest runs. While a vCPU is in one, KVM on Intel holds pages of the guest
 * by number, also when it stands still: the final round would wait for them in vain.
 * (Documentation/guarantees.md, Nested guests.)
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define LOOKS	5
#define LOOK_US	20000

static bool is_intel(const char *cpuinfo)
{
	FILE *file = fopen(cpuinfo, "re");
	char line[256] = "";

	/* All processors are of one make. */
	while (file && strncmp(line, "vendor_id", 9) && fgets(line, sizeof(line), file))
		;
	if (file)
		fclose(file);
	return !strncmp(line, "vendor_id", 9) && strstr(line, "GenuineIntel");
}

/* QEMU tells 1 or true, by its version. */
static bool is_in_guest(const json_t *stats)
{
	json_t *stat, *value;
	size_t i;

	json_array_foreach(stats, i, stat) {
		value = json_object_get(stat, "value");
		if (!strcmp(json_string_value(json_object_get(stat, "name")) ?: "", "guest_mode"))
			return json_is_true(value) || json_integer_value(value) > 0;
	}
	return false;
}

/* How many vCPUs are in one now. None where QEMU or KVM cannot tell. */
static unsigned int count_now(struct qmp *qmp)
{
	json_t *vcpus = NULL, *vcpu;
	struct fault ignored;
	unsigned int count = 0;
	size_t i;

	if (qmp_call(qmp, "query-stats", json_pack("{s:s,s:[{s:s,s:[s]}]}", "target", "vcpu",
						   "providers", "provider", "kvm", "names",
						   "guest_mode"), &vcpus, &ignored))
		return 0;
	json_array_foreach(vcpus, i, vcpu)
		count += is_in_guest(json_object_get(vcpu, "stats"));
	json_decref(vcpus);
	return count;
}

void guest_read_nested(struct guest *guest, struct qmp *qmp, const char *cpuinfo)
{
	bool intel = is_intel(cpuinfo);
	unsigned int within = 0;
	int n;

	for (n = 0; intel && !within && n < LOOKS; n++) {
		if (n)
			usleep(LOOK_US);
		within = count_now(qmp);
	}
	json_object_set_new(guest->facts, "nested", json_integer(within));
}

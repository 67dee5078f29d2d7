// SPDX-License-Identifier: GPL-2.0-only
/*
 * Features of virtio devices. What one offers depends on the host where vhost serves it;
 * what the guest took must be offered where it goes, or QEMU does not load the device.
 */
#include <string.h>

#include "guest.h"

#define RING_RESET (1ULL << 40)	/* QEMU 7.2 has it, but not its name */

/* Adds "VIRTIO_F_X" of each "VIRTIO_F_X: words" that a part of @features lists. */
static void add_names(json_t *names, const json_t *features, const char *part)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(features, part), i, one) {
		const char *text = json_string_value(one) ?: "";

		json_array_append_new(names, json_stringn(text, strcspn(text, ":")));
	}
}

/* Bits that this QEMU has no names for. */
static uint64_t nameless(const json_t *status, const char *which)
{
	const json_t *features = json_object_get(status, which);

	return json_integer_value(json_object_get(features, "unknown-dev-features"));
}

static json_t *names_of(const json_t *status, const char *which)
{
	json_t *features = json_object_get(status, which), *names = json_array();

	add_names(names, features, "transports");
	add_names(names, features, "dev-features");
	if (nameless(status, which) & RING_RESET)
		json_array_append_new(names, json_string("VIRTIO_F_RING_RESET"));
	return names;
}

static void add_device(json_t *list, struct qmp *qmp, const json_t *device)
{
	const char *path = json_string_value(json_object_get(device, "path")) ?: "";
	struct fault ignored;
	json_t *status = NULL;

	if (qmp_call(qmp, "x-query-virtio-status", json_pack("{s:s}", "path", path), &status,
		     &ignored))
		return;
	json_array_append_new(list, json_pack("{s:s,s:s,s:o,s:o,s:b}", "path", path, "name",
		json_string_value(json_object_get(device, "name")) ?: "",
		"taken", names_of(status, "guest-features"),
		"offered", names_of(status, "host-features"),
		"nameless", (nameless(status, "host-features") & ~RING_RESET) != 0));
	json_decref(status);
}

/* QEMU may change or drop what is asked here: then there is nothing to compare. */
void guest_read_virtio(struct guest *guest, struct qmp *qmp)
{
	json_t *devices = NULL, *device, *list = json_array();
	struct fault ignored;
	size_t i;

	json_object_set_new(guest->facts, "virtio", list);
	if (qmp_call(qmp, "x-query-virtio", NULL, &devices, &ignored))
		return;
	json_array_foreach(devices, i, device)
		add_device(list, qmp, device);
	json_decref(devices);
}

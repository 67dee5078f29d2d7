/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a QEMU is, as its monitor and its files tell: everything the two sides
 * have to agree on.
 */
#ifndef GUEST_H
#define GUEST_H

#include <jansson.h>

#include "door.h"
#include "qmp.h"

struct guest_region {
	char id[VMFM_NAME_BYTES];
	uint64_t bytes;
	int fd;			/* the file, open for writing */
};

struct guest {
	unsigned int regions;
	struct guest_region region[VMFM_REGIONS_MAX];
	/*
	 * {"name","uuid","status","qemu":[major,minor,micro],"machine","cpu","cpu_features","arch",
	 *  "ram_bytes","regions":[{"id","bytes"}],"foreign":[{"id","type","why"}],
	 *  "disks":[{"device","file","bytes"}],"blockers":[text],"machines"?,"nested"?,"piped"?,"libvirt"?,
	 *  "virtio":[{"path","name","taken":[feature],"offered":[feature],"nameless"}]}
	 * "machines": the names of all machines that its QEMU has.
	 * "piped": its QEMU began the migration itself, and sends all RAM. "libvirt": the
	 * domain's name; then only names, regions and foreign are there (domain.c).
	 */
	json_t *facts;
};

/* Of a backend of RAM, as its QEMU tells. */
struct guest_backend {
	const char *id, *type;
	const char *mem_path;	/* NULL: it is no memory-backend-file */
	uint64_t bytes;
	bool share;
};

/* Whether that is a file of a vmfastmig filesystem. */
bool guest_is_region(int fd);
/* No region, no facts but empty lists. */
void guest_init(struct guest *guest);
/* A region, or foreign. */
void guest_add_backend(struct guest *guest, const struct guest_backend *backend);

int guest_read(struct guest *guest, struct qmp *qmp, struct fault *fault);
/* Adds "virtio" (virtio.c). */
void guest_read_virtio(struct guest *guest, struct qmp *qmp);
/*
 * Adds "nested": how many vCPUs are in a guest that the guest runs, and so have pages held
 * by KVM; 0 where /proc/cpuinfo, which @cpuinfo is, tells of a processor without that.
 */
void guest_read_nested(struct guest *guest, struct qmp *qmp, const char *cpuinfo);
/* Adds "machines". */
int guest_read_machines(struct guest *guest, struct qmp *qmp, struct fault *fault);
void guest_free(struct guest *guest);

static inline const char *guest_text(const struct guest *guest, const char *key)
{
	const char *text = json_string_value(json_object_get(guest->facts, key));

	return text ? text : "";
}

/* What guest_restore_settings() needs; NULL on failure. */
int guest_read_settings(struct qmp *qmp, json_t **settings, struct fault *fault);
/* QEMU's migration capabilities and parameters as we need them. @before: as they were read. */
int guest_change_settings(struct qmp *qmp, unsigned int downtime_ms, const json_t *before,
			  struct fault *fault);
/* The parameters alone: of a migration that is under way, too. */
int guest_change_limits(struct qmp *qmp, unsigned int downtime_ms, struct fault *fault);
/* After that: our RAM is in QEMU's stream, too. Both QEMUs have to agree on it. */
int guest_send_shared(struct qmp *qmp, struct fault *fault);
/* Takes over @before (may be NULL). */
void guest_restore_settings(struct qmp *qmp, json_t *before);

/* Now: "running", "paused", ... */
int guest_status(struct qmp *qmp, char *status, size_t bytes, struct fault *fault);

#endif

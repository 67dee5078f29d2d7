// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "guest.h"
#include "mapped.h"

static int query(struct qmp *qmp, const char *command, const char *key, json_t *facts,
		 const char *as, struct fault *fault)
{
	json_t *answer = NULL, *value;

	if (qmp_call(qmp, command, NULL, &answer, fault))
		return -1;
	value = json_object_get(answer, key);
	json_object_set(facts, as, value ? value : json_null());
	json_decref(answer);
	return 0;
}

/* NULL where there is no such property. */
static json_t *qom_get(struct qmp *qmp, const char *path, const char *property)
{
	struct fault ignored;
	json_t *answer = NULL;

	if (qmp_call(qmp, "qom-get", json_pack("{s:s,s:s}", "path", path, "property", property),
		     &answer, &ignored))
		return NULL;
	return answer;
}

static void take_qom(struct qmp *qmp, json_t *facts, const char *as, const char *path,
		     const char *property)
{
	json_t *value = qom_get(qmp, path, property);

	json_object_set_new(facts, as, value ? value : json_string(""));
}

bool guest_is_region(int fd)
{
	struct statfs fs;
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && !fstatfs(fd, &fs) &&
	       fs.f_fsid.__val[0] == VMFM_FS_MAGIC;
}

/* The backend's file, or -1 when it is not one of ours; that may be a device: it is not opened. */
static int open_backend(const char *path)
{
	int found = open(path, O_PATH | O_CLOEXEC), fd = -1;
	char link[64];

	if (found < 0)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
	if (guest_is_region(found))
		fd = open(link, O_RDWR | O_CLOEXEC);
	close(found);
	return fd;
}

static void add_foreign(struct guest *guest, const struct guest_backend *backend, const char *why)
{
	json_array_append_new(json_object_get(guest->facts, "foreign"),
			      json_pack("{s:s,s:s,s:s}", "id", backend->id, "type", backend->type,
					"why", why));
}

void guest_add_backend(struct guest *guest, const struct guest_backend *backend)
{
	struct guest_region *region = &guest->region[guest->regions];
	int fd = -1;

	if (!backend->mem_path)
		add_foreign(guest, backend, "not a memory-backend-file");
	else if (!backend->share)
		add_foreign(guest, backend, "share=off");
	else if (strlen(backend->id) >= sizeof(region->id) || guest->regions == VMFM_REGIONS_MAX)
		add_foreign(guest, backend, "its name is too long, or there are too many");
	else if ((fd = open_backend(backend->mem_path)) < 0)
		add_foreign(guest, backend, "its file is not on a vmfastmig filesystem");
	if (fd < 0)
		return;
	strcpy(region->id, backend->id);
	region->bytes = backend->bytes;
	region->fd = fd;
	guest->regions++;
	json_array_append_new(json_object_get(guest->facts, "regions"),
			      json_pack("{s:s,s:I}", "id", backend->id, "bytes",
					(json_int_t)backend->bytes));
}

void guest_init(struct guest *guest)
{
	memset(guest, 0, sizeof(*guest));
	guest->facts = json_pack("{s:[],s:[]}", "regions", "foreign");
}

static void read_backend(struct guest *guest, struct qmp *qmp, const char *id, const char *type)
{
	json_t *size, *share, *mem_path;
	char path[128];

	snprintf(path, sizeof(path), "/objects/%s", id);
	size = qom_get(qmp, path, "size");
	share = qom_get(qmp, path, "share");
	mem_path = qom_get(qmp, path, "mem-path");
	guest_add_backend(guest, &(struct guest_backend){
		.id = id, .type = type, .bytes = json_integer_value(size),
		.share = json_is_true(share), .mem_path = json_string_value(mem_path) });
	json_decref(size);
	json_decref(share);
	json_decref(mem_path);
}

static int check_regions(const struct guest *guest, const struct qmp *qmp, struct fault *fault)
{
	pid_t pid = qmp_process(qmp);

	if (guest->regions && !pid)
		return fail(fault, "which process is behind %s is not to be seen: is it in a container that vmfastmigd is not in?",
			    qmp->path);
	return mapped_check(guest, pid, fault);
}

static int read_regions(struct guest *guest, struct qmp *qmp, struct fault *fault)
{
	json_t *objects = NULL, *object;
	size_t i;

	if (qmp_call(qmp, "qom-list", json_pack("{s:s}", "path", "/objects"), &objects, fault))
		return -1;
	json_array_foreach(objects, i, object) {
		const char *type = json_string_value(json_object_get(object, "type"));
		const char *name = json_string_value(json_object_get(object, "name"));

		if (type && name && !strncmp(type, "child<memory-backend-", 21))
			read_backend(guest, qmp, name, type);
	}
	json_decref(objects);
	return check_regions(guest, qmp, fault);
}

static int read_disks(struct guest *guest, struct qmp *qmp, struct fault *fault)
{
	json_t *blocks = NULL, *block, *disks = json_array();
	size_t i;

	json_object_set_new(guest->facts, "disks", disks);
	if (qmp_call(qmp, "query-block", NULL, &blocks, fault))
		return -1;
	json_array_foreach(blocks, i, block) {
		json_t *inserted = json_object_get(block, "inserted");
		json_t *image = json_object_get(inserted, "image");
		const char *device = json_string_value(json_object_get(block, "qdev"));

		if (!inserted)
			continue;
		json_array_append_new(disks, json_pack("{s:s,s:s,s:I}", "device", device ?: "",
			"file", json_string_value(json_object_get(inserted, "file")) ?: "",
			"bytes", (json_int_t)json_integer_value(
					json_object_get(image, "virtual-size"))));
	}
	json_decref(blocks);
	return 0;
}

static int read_blockers(struct guest *guest, struct qmp *qmp, struct fault *fault)
{
	json_t *answer = NULL, *reasons, *devices = NULL, *device, *blockers = json_array();
	size_t i;

	json_object_set_new(guest->facts, "blockers", blockers);
	if (qmp_call(qmp, "query-migrate", NULL, &answer, fault))
		return -1;
	reasons = json_object_get(answer, "blocked-reasons");
	if (reasons)
		json_array_extend(blockers, reasons);
	json_object_set(guest->facts, "migration", json_object_get(answer, "status"));
	json_decref(answer);

	if (qmp_call(qmp, "qom-list", json_pack("{s:s}", "path", "/machine/peripheral"), &devices,
		     fault))
		return -1;
	json_array_foreach(devices, i, device) {
		const char *type = json_string_value(json_object_get(device, "type")) ?: "";
		const char *name = json_string_value(json_object_get(device, "name")) ?: "";
		char path[256], text[320];
		json_t *hint;

		snprintf(path, sizeof(path), "/machine/peripheral/%s", name);
		if (strstr(type, "vfio")) {
			snprintf(text, sizeof(text), "device %s is a VFIO device: unplug it", name);
			json_array_append_new(blockers, json_string(text));
		}
		hint = strstr(type, "balloon") ? qom_get(qmp, path, "free-page-hint") : NULL;
		if (json_is_true(hint)) {
			snprintf(text, sizeof(text),
				 "device %s has free-page-hint=on: start the guest without it", name);
			json_array_append_new(blockers, json_string(text));
		}
		json_decref(hint);
	}
	json_decref(devices);
	return 0;
}

static int read_version(struct guest *guest, struct qmp *qmp, struct fault *fault)
{
	json_t *answer = NULL, *qemu;

	if (qmp_call(qmp, "query-version", NULL, &answer, fault))
		return -1;
	qemu = json_object_get(answer, "qemu");
	json_object_set_new(guest->facts, "qemu", json_pack("[O,O,O]",
			    json_object_get(qemu, "major"), json_object_get(qemu, "minor"),
			    json_object_get(qemu, "micro")));
	json_decref(answer);
	return 0;
}

/* The type of the first vCPU, the machine's and QEMU's target. */
static int read_machine(struct guest *guest, struct qmp *qmp, struct fault *fault)
{
	json_t *cpus = NULL;
	const char *path;

	take_qom(qmp, guest->facts, "machine", "/machine", "type");
	if (qmp_call(qmp, "query-cpus-fast", NULL, &cpus, fault))
		return -1;
	path = json_string_value(json_object_get(json_array_get(cpus, 0), "qom-path"));
	if (path)
		take_qom(qmp, guest->facts, "cpu", path, "type");
	if (path)	/* x86: CPUID as the guest sees it */
		take_qom(qmp, guest->facts, "cpu_features", path, "feature-words");
	json_object_set_new(guest->facts, "vcpus", json_integer(json_array_size(cpus)));
	json_decref(cpus);
	return query(qmp, "query-memory-size-summary", "base-memory", guest->facts, "ram_bytes",
		     fault) ?:
	       query(qmp, "query-target", "arch", guest->facts, "arch", fault);
}

int guest_read(struct guest *guest, struct qmp *qmp, struct fault *fault)
{
	guest_init(guest);
	if (query(qmp, "query-name", "name", guest->facts, "name", fault) ||
	    query(qmp, "query-uuid", "UUID", guest->facts, "uuid", fault) ||
	    query(qmp, "query-status", "status", guest->facts, "status", fault) ||
	    read_version(guest, qmp, fault) || read_machine(guest, qmp, fault) ||
	    read_regions(guest, qmp, fault) || read_disks(guest, qmp, fault) ||
	    read_blockers(guest, qmp, fault)) {
		guest_free(guest);
		return -1;
	}
	guest_read_virtio(guest, qmp);
	return 0;
}

int guest_read_machines(struct guest *guest, struct qmp *qmp, struct fault *fault)
{
	json_t *list = NULL, *machine, *names = json_array();
	size_t i;

	json_object_set_new(guest->facts, "machines", names);
	if (qmp_call(qmp, "query-machines", NULL, &list, fault))
		return -1;
	json_array_foreach(list, i, machine)
		json_array_append(names, json_object_get(machine, "name"));
	json_decref(list);
	return 0;
}

void guest_free(struct guest *guest)
{
	while (guest->regions)
		close(guest->region[--guest->regions].fd);
	json_decref(guest->facts);
	guest->facts = NULL;
}

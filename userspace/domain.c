// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain.h"
#include "mapped.h"

#define PID_FILES	"/run/libvirt/qemu"
#define BACKEND		"memory-backend-"

/* -object has a list, or since libvirt 7.2 JSON. */
static void parse_list(struct guest *guest, const char *list)
{
	char type[64], id[256], path[4096], size[32] = "", share[8] = "off";
	const char *left = list;
	bool has_path;

	if (!arguments_item(&left, type, sizeof(type)) ||
	    strncmp(type, BACKEND, strlen(BACKEND)) ||
	    !arguments_value(list, "id", false, id, sizeof(id)))
		return;
	has_path = arguments_value(list, "mem-path", false, path, sizeof(path));
	arguments_value(list, "size", false, size, sizeof(size));
	arguments_value(list, "share", false, share, sizeof(share));
	guest_add_backend(guest, &(struct guest_backend){
		.id = id, .type = type, .mem_path = has_path ? path : NULL,
		.bytes = strtoull(size, NULL, 10),
		.share = !strcmp(share, "on") || !strcmp(share, "yes") });
}

static void parse_object(struct guest *guest, const char *text)
{
	json_t *object = *text == '{' ? json_loads(text, 0, NULL) : NULL;
	const char *type = json_string_value(json_object_get(object, "qom-type"));
	const char *id = json_string_value(json_object_get(object, "id"));

	if (!object)
		parse_list(guest, text);
	else if (type && id && !strncmp(type, BACKEND, strlen(BACKEND)))
		guest_add_backend(guest, &(struct guest_backend){
			.id = id, .type = type,
			.mem_path = json_string_value(json_object_get(object, "mem-path")),
			.bytes = json_integer_value(json_object_get(object, "size")),
			.share = json_is_true(json_object_get(object, "share")) });
	json_decref(object);
}

void domain_parse(struct arguments arguments, struct guest *guest)
{
	const char *option, *value;
	char name[256];

	while ((option = arguments_next(&arguments, &value))) {
		if (!strcmp(option, "name") &&
		    arguments_value(value, "guest", true, name, sizeof(name)))
			json_object_set_new(guest->facts, "name", json_string(name));
		else if (!strcmp(option, "object"))
			parse_object(guest, value);
	}
}

static int find_pid(const char *name, pid_t *pid, struct fault *fault)
{
	char path[512];
	int number = 0;
	FILE *file;

	if (!*name || strlen(name) > 255 || strchr(name, '/'))
		return fail(fault, "\"%.32s\" is not a domain's name", name);
	snprintf(path, sizeof(path), PID_FILES "/%s.pid", name);
	file = fopen(path, "re");
	if (!file)
		return fail(fault, "no domain %s runs here (%.200s: %s); see: virsh list", name, path,
			    strerror(errno));
	if (fscanf(file, "%d", &number) != 1)
		number = 0;
	fclose(file);
	*pid = number;
	return number > 1 ? 0 : fail(fault, "%.200s has no process id", path);
}

int domain_read(const char *name, struct guest *guest, pid_t *pid, struct fault *fault)
{
	char *room;

	if (find_pid(name, pid, fault))
		return -1;
	room = malloc(ARGUMENTS_BYTES);
	if (!room)
		return fail(fault, "no memory");
	guest_init(guest);
	domain_parse(arguments_read(*pid, room), guest);
	free(room);
	json_object_set_new(guest->facts, "libvirt", json_string(name));
	if (strcmp(guest_text(guest, "name"), name))
		fail(fault, "process %d is not the QEMU of domain %s any more; see: virsh list",
		     (int)*pid, name);
	else if (!mapped_check(guest, *pid, fault))
		return 0;
	guest_free(guest);
	return -1;
}

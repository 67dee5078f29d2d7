// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "page.h"
#include "region.h"
#include "tracking.h"

#define WAIT_MS		600000
#define FINAL_MS	20000

static void open_door(struct door *door)
{
	if (door_open(door))
		errx(1, "no netlink family %s: is the module loaded?", VMFM_GENL_NAME);
}

void tracking_huge(int huge)
{
	struct door door;

	open_door(&door);
	if (door_set_huge(&door, huge))
		errx(1, "parameter huge=%d: %s", huge, door.error);
	door_close(&door);
}

int tracking_add(struct tracking *tracking, const char *path, size_t bytes)
{
	int i = tracking->spec.regions++;

	if (i >= TRACKED_MAX)
		errx(1, "more than %d regions", TRACKED_MAX);
	snprintf(tracking->spec.name[i], sizeof(tracking->spec.name[i]), "ram%d", i);
	tracking->spec.fd[i] = path ? open(path, O_RDWR | O_CLOEXEC) :
				      region_file("capture-source", bytes);
	tracking->sink_fd[i] = region_file("capture-sink", bytes);
	if (tracking->spec.fd[i] < 0 || tracking->sink_fd[i] < 0)
		err(1, "cannot make or open %s", path ? path : "files of a vmfastmig filesystem");
	return tracking->spec.fd[i];
}

static int make_session(struct tracking *tracking, const struct door_spec *like, int role,
			struct sockaddr_in *addr)
{
	struct door_spec spec = *like;
	int id;

	spec.role = role;
	spec.addr = *addr;
	if (role == VMFM_ROLE_SINK) {
		spec.peer = *addr;
		memcpy(spec.fd, tracking->sink_fd, sizeof(tracking->sink_fd));
	}
	id = door_new(&tracking->door, &spec);
	if (id < 0)
		errx(1, "cannot make a session, role %d: %s, %s", role, strerror(-id),
		     tracking->door.error);
	*addr = spec.addr;
	return id;
}

static void await(struct tracking *tracking, int id, int state, const char *what)
{
	int status = door_wait(&tracking->door, id, state, WAIT_MS);

	if (status)
		errx(1, "%s: %s, %s", what, strerror(-status), tracking->door.error);
}

static void command(struct tracking *tracking, int id, int cmd, const char *what)
{
	int status = door_call(&tracking->door, cmd, id, cmd == VMFM_CMD_SESSION_FINAL ? FINAL_MS : 0);

	if (status)
		errx(1, "%s of session %d: %s, %s", what, id, strerror(-status),
		     tracking->door.error);
}

void tracking_sessions(struct tracking *tracking)
{
	const char *text = getenv("VMFM_ADDR");
	struct sockaddr_in addr = { .sin_family = AF_INET };

	if (!text || !inet_pton(AF_INET, text, &addr.sin_addr))
		errx(1, "VMFM_ADDR is no IPv4 address of an RDMA device");
	open_door(&tracking->door);
	tracking->sink = make_session(tracking, &tracking->spec, VMFM_ROLE_SINK, &addr);
	tracking->source = make_session(tracking, &tracking->spec, VMFM_ROLE_SOURCE, &addr);
}

void tracking_start(struct tracking *tracking)
{
	tracking_sessions(tracking);
	command(tracking, tracking->source, VMFM_CMD_SESSION_START, "start");
	await(tracking, tracking->source, VMFM_STATE_READY, "start");
}

void tracking_round(struct tracking *tracking, struct door_stats *stats)
{
	command(tracking, tracking->source, VMFM_CMD_SESSION_ROUND, "round");
	await(tracking, tracking->source, VMFM_STATE_READY, "round");
	if (door_get(&tracking->door, tracking->source, stats))
		errx(1, "no statistics of session %d", tracking->source);
}

int tracking_fails(struct tracking *tracking, int cmd)
{
	int done = cmd == VMFM_CMD_SESSION_FINAL ? VMFM_STATE_DONE : VMFM_STATE_READY;

	command(tracking, tracking->source, cmd, "what is to fail");
	return door_wait(&tracking->door, tracking->source, done, WAIT_MS);
}

void tracking_final(struct tracking *tracking)
{
	command(tracking, tracking->source, VMFM_CMD_SESSION_FINAL, "final round");
	await(tracking, tracking->source, VMFM_STATE_DONE, "final round");
	await(tracking, tracking->sink, VMFM_STATE_DONE, "final round at the sink");
}

void tracking_end(struct tracking *tracking)
{
	int i;

	command(tracking, tracking->source, VMFM_CMD_SESSION_DEL, "end");
	command(tracking, tracking->sink, VMFM_CMD_SESSION_DEL, "end");
	door_close(&tracking->door);
	for (i = 0; i < tracking->spec.regions; i++) {
		close(tracking->spec.fd[i]);
		close(tracking->sink_fd[i]);
	}
}

void tracking_once(void)
{
	struct tracking tracking = {};
	int fd = tracking_add(&tracking, NULL, BLOCK);
	char *area = region_map(fd, BLOCK);

	if (area == MAP_FAILED)
		err(1, "cannot map a file of a vmfastmig filesystem");
	page_stamp(area, 1);
	tracking_start(&tracking);
	page_stamp(area + PAGE, 2);
	tracking_final(&tracking);
	munmap(area, BLOCK);
	if (region_differences(fd, tracking.sink_fd[0], 0, BLOCK))
		errx(1, "a migration did not bring what was sent");
	tracking_end(&tracking);
}

// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netlink/genl/ctrl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "pair.h"

#define POLL_MS		20

__attribute__((format(printf, 1, 2)))
static const char *wrong(const char *format, ...)
{
	static char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return text;
}

static void sleep_ms(int ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&pause, NULL);
}

static int module_users(void)
{
	FILE *file = fopen("/sys/module/vmfastmig/refcnt", "r");
	int users = -1;

	if (file && fscanf(file, "%d", &users) != 1)
		users = -1;
	if (file)
		fclose(file);
	return users;
}

static int make_file(struct pair *pair, const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pair->dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	return fd < 0 || ftruncate(fd, PAIR_BYTES) ? -1 : fd;
}

bool pair_map(struct pair *pair)
{
	char *area = mmap(pair->area, PAIR_BYTES, PROT_READ | PROT_WRITE,
			  MAP_SHARED | (pair->area ? MAP_FIXED : 0), pair->source_fd, 0);

	if (area == MAP_FAILED)
		return false;
	pair->area = area;
	return true;
}

static void make_spec(struct door_spec *spec, int role, int fd, const char *addr)
{
	memset(spec, 0, sizeof(*spec));
	spec->role = role;
	spec->addr.sin_family = AF_INET;
	inet_pton(AF_INET, addr, &spec->addr.sin_addr);
	if (role == VMFM_ROLE_SINK) {
		spec->peer = spec->addr;
		spec->discard = true;
	}
	memset(spec->token, 0x3c, sizeof(spec->token));
	spec->regions = 1;
	spec->fd[0] = fd;
	strcpy(spec->name[0], "ram0");
}

static int listen_to_events(struct door *door)
{
	int err = door_open(door), group;

	if (err)
		return err;
	group = genl_ctrl_resolve_grp(door->sock, VMFM_GENL_NAME, VMFM_MCGRP_EVENTS);
	return group < 0 ? group : nl_socket_add_membership(door->sock, group);
}

const char *pair_open(struct pair *pair, const char *addr)
{
	memset(pair, 0, sizeof(*pair));
	snprintf(pair->dir, sizeof(pair->dir), "/tmp/vmfm-pair-%d", getpid());
	if (mkdir(pair->dir, 0700) || mount("none", pair->dir, VMFM_FS_NAME, 0, "size=64M"))
		return wrong("%s: cannot mount: %m; is the module loaded?", pair->dir);
	pair->source_fd = make_file(pair, "source");
	pair->sink_fd = make_file(pair, "sink");
	if (pair->source_fd < 0 || pair->sink_fd < 0)
		return wrong("%s: cannot make files: %m", pair->dir);
	if (!pair_map(pair))
		return wrong("%s/source: cannot map: %m", pair->dir);
	make_spec(&pair->source, VMFM_ROLE_SOURCE, pair->source_fd, addr);
	make_spec(&pair->sink, VMFM_ROLE_SINK, pair->sink_fd, addr);
	if (door_open(&pair->door) || door_open(&pair->other) || listen_to_events(&pair->listener))
		return wrong("no netlink family %s", VMFM_GENL_NAME);
	pair->users = module_users();
	pair->seen_id = door_new(&pair->other, &pair->source);
	if (pair->seen_id < 0)
		return wrong("cannot make a session: %s", pair->other.error);
	door_call(&pair->other, VMFM_CMD_SESSION_DEL, pair->seen_id, 0);
	return NULL;
}

static const char *users_gone(struct pair *pair)
{
	int waited_ms, users = module_users();

	for (waited_ms = 0; users > pair->users && waited_ms < PAIR_WAIT_MS; waited_ms += POLL_MS) {
		sleep_ms(POLL_MS);
		users = module_users();
	}
	return users == pair->users ? NULL :
		wrong("the module has %d users where it had %d", users, pair->users);
}

const char *pair_close(struct pair *pair)
{
	const char *text;

	door_close(&pair->door);
	door_close(&pair->other);
	door_close(&pair->listener);
	text = users_gone(pair);
	munmap(pair->area, PAIR_BYTES);
	close(pair->source_fd);
	close(pair->sink_fd);
	if (umount(pair->dir))
		return wrong("%s: cannot unmount: %m", pair->dir);
	rmdir(pair->dir);
	return text;
}

void pair_fill(struct pair *pair, unsigned int generation)
{
	unsigned long *word = (unsigned long *)pair->area;
	size_t i;

	for (i = 0; i < PAIR_BYTES / sizeof(*word); i++)
		word[i] = i * 0x9e3779b97f4a7c15UL + generation;
}

const char *pair_same(struct pair *pair)
{
	char a[PAGE_BYTES], b[PAGE_BYTES];
	size_t at;

	for (at = 0; at < PAIR_BYTES; at += PAGE_BYTES) {
		if (pread(pair->source_fd, a, PAGE_BYTES, at) != PAGE_BYTES ||
		    pread(pair->sink_fd, b, PAGE_BYTES, at) != PAGE_BYTES)
			return wrong("page %zu: cannot read: %m", at / PAGE_BYTES);
		if (memcmp(a, b, PAGE_BYTES))
			return wrong("page %zu differs", at / PAGE_BYTES);
	}
	return NULL;
}

const char *pair_new(struct pair *pair)
{
	pair->sink.addr.sin_port = 0;
	pair->sink_id = door_new(&pair->door, &pair->sink);
	if (pair->sink_id < 0)
		return wrong("sink: error %d: %s", pair->sink_id, pair->door.error);
	pair->source.addr.sin_port = pair->sink.addr.sin_port;
	pair->source_id = door_new(&pair->door, &pair->source);
	if (pair->source_id < 0)
		return wrong("source: error %d: %s", pair->source_id, pair->door.error);
	return NULL;
}

static const char *look(struct pair *pair, int id, int state, bool *there)
{
	struct door_stats stats;
	int err = door_get(&pair->other, id, &stats);

	if (err)
		return wrong("session %d: cannot ask: error %d", id, err);
	if (stats.state == VMFM_STATE_FAILED && state != VMFM_STATE_FAILED)
		return wrong("session %d: error %d: %s", id, stats.error, stats.error_text);
	*there = stats.state == state;
	return NULL;
}

const char *pair_wait(struct pair *pair, int state)
{
	int waited_ms;

	for (waited_ms = 0; waited_ms < PAIR_WAIT_MS; waited_ms += POLL_MS) {
		bool source_there = false, sink_there = false;
		const char *text = look(pair, pair->source_id, state, &source_there);

		if (!text)
			text = look(pair, pair->sink_id, state, &sink_there);
		if (text || (source_there && sink_there))
			return text;
		sleep_ms(POLL_MS);
	}
	return wrong("sessions %d and %d are not in state %d after %d ms", pair->source_id,
		     pair->sink_id, state, PAIR_WAIT_MS);
}

const char *pair_start(struct pair *pair)
{
	const char *text = pair_new(pair);
	int err;

	if (text)
		return text;
	err = door_call(&pair->door, VMFM_CMD_SESSION_START, pair->source_id, 0);
	return err ? wrong("start: error %d: %s", err, pair->door.error) :
		     pair_wait(pair, VMFM_STATE_READY);
}

const char *pair_finish(struct pair *pair)
{
	int err = door_call(&pair->door, VMFM_CMD_SESSION_FINAL, pair->source_id, 20000);
	const char *text;

	if (err)
		return wrong("final: error %d: %s", err, pair->door.error);
	text = pair_wait(pair, VMFM_STATE_DONE);
	return text ? text : pair_same(pair);
}

static int delete(struct pair *pair, int *id)
{
	int err = *id > 0 ? door_call(&pair->door, VMFM_CMD_SESSION_DEL, *id, 0) : 0;

	*id = 0;
	return err;
}

const char *pair_end(struct pair *pair)
{
	int source_id = pair->source_id, sink_id = pair->sink_id, err;

	err = delete(pair, &pair->source_id);
	if (err)
		return wrong("session %d: cannot end: error %d", source_id, err);
	err = delete(pair, &pair->sink_id);
	return err ? wrong("session %d: cannot end: error %d", sink_id, err) : NULL;
}

/* The sessions of a closed socket end a little later: then their files are free. */
static int probe(struct pair *pair, struct door_spec *spec)
{
	int waited_ms, id = -EBUSY;

	for (waited_ms = 0; id == -EBUSY && waited_ms < PAIR_WAIT_MS; waited_ms += POLL_MS) {
		id = door_new(&pair->other, spec);
		if (id == -EBUSY)
			sleep_ms(POLL_MS);
	}
	if (id > 0)
		door_call(&pair->other, VMFM_CMD_SESSION_DEL, id, 0);
	return id;
}

const char *pair_gone(struct pair *pair)
{
	struct door_stats stats;
	int id, last, err;

	pair->sink.addr.sin_port = 0;
	last = probe(pair, &pair->sink);
	if (last < 0)
		return wrong("sink file is not free: error %d: %s", last, pair->other.error);
	last = probe(pair, &pair->source);
	if (last < 0)
		return wrong("source file is not free: error %d: %s", last, pair->other.error);
	for (id = pair->seen_id + 1; id <= last; id++) {
		err = door_get(&pair->other, id, &stats);
		if (err != -ENOENT)
			return wrong("session %d is left: asking for it answers %d", id, err);
	}
	pair->seen_id = last;
	return users_gone(pair);
}

void pair_reopen(struct pair *pair)
{
	door_close(&pair->door);
	door_open(&pair->door);
	pair->sink_id = 0;
	pair->source_id = 0;
}

unsigned long pair_used_pages(struct pair *pair)
{
	struct statfs fs;

	statfs(pair->dir, &fs);
	return fs.f_blocks - fs.f_bfree;
}

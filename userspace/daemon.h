/* SPDX-License-Identifier: GPL-2.0-only */
/* What the daemon was started with, and what its parts are called by. */
#ifndef DAEMON_H
#define DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "chan.h"
#include "conduit.h"
#include "creds.h"
#include "job.h"
#include "uri.h"

#define PROTOCOL_VERSION	1
#define RUN_DIR			"/run/vmfastmig"
#define FS_DIR			"/dev/vmfastmig"

struct config {
	struct creds creds;
	char listen_host[256];
	uint16_t listen_port;
	char socket_path[108];
	struct sockaddr_storage rdma_addr;	/* family 0: that of the control connection */
};

extern struct config config;

struct native;

struct source_order {
	char qmp[108];
	char domain[256];	/* libvirt's; empty: the monitor is ours */
	struct uri uri;
	bool check;		/* stops after the preflight */
	bool piped;		/* QEMU began the migration itself: the pipes are its, or will be */
	struct pipes pipes;	/* taken over */
	struct native *native;	/* QEMU drives it; NULL: it does not know how. The caller's */
};

/*
 * source.c. Runs a migration in the calling thread up to its end; job_end() has
 * been called then.
 */
void source_run(struct job *job, const struct source_order *order);

/* waiting.c. Has a QEMU wait for its guest, up to the end, in the calling thread. */
void sink_wait(struct job *job, const char *qmp_path, const char *name);
/* The same of one that came by itself; up to the end as well. */
void sink_wait_native(struct job *job, struct native *native, const char *name);

/*
 * offer.c. A peer's connections: the control connection is served; a stream is
 * handed over (true) or not; a commit that is said again is answered.
 */
void sink_control(struct chan *chan);
bool sink_stream(struct chan *chan, const char *ticket);
void sink_commit_again(struct chan *chan, const char *ticket, const char *boot_id);

/* offer.c: what guests may still take of this host's memory, for their files. */
uint64_t ram_free_bytes(void);

/* local.c: one client of the UNIX socket. Closes @fd. */
void local_serve(int fd);

/* The address RDMA uses on this side of @chan, port 0. */
void config_rdma_addr(const struct chan *chan, struct sockaddr_storage *addr);

void hex_encode(const uint8_t *bytes, size_t count, char *text);
int hex_decode(const char *text, uint8_t *bytes, size_t count);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* One offer of a peer's that is being served, in the thread of its control connection. */
#ifndef OFFER_H
#define OFFER_H

#include "door.h"
#include "sink.h"
#include "stream.h"

#define OFFER_DONE_MS	30000	/* the module's session, once the source's is */
#define OFFER_LOAD_MS	90000	/* a QEMU that is not told by us what to do */

struct offer {
	struct sink *sink;
	struct chan *control;
	struct chan data;
	struct stream stream;
	struct door door;
	uint32_t session;
	char ticket[33];
	bool paused;
	bool piped;		/* all RAM was in the stream of a QEMU that began the migration itself */
	bool loading;		/* migrate-incoming was sent */
	bool committed;
	bool maybe_ran;		/* cont was sent, and not refused */
	bool thanked;		/* the source knows that it runs here */
	bool has_data;
	int end_fd;		/* readable at the end of a QEMU whose monitor is not ours; -1: none */
	json_t *settings;	/* QEMU's, as they were */
	struct offer *next;
};

/* Gives it its ticket: from then on the stream's connection may come. */
void offer_list(struct offer *offer);
void offer_unlist(struct offer *offer);
int offer_wait_data(struct offer *offer, struct fault *fault);

int offer_check_module(struct offer *offer, json_t *message, json_t *checks, struct fault *fault);
/* RDMA's local address, and whether a device has it. */
void offer_check_device(struct offer *offer, json_t *checks, struct sockaddr_storage *addr);
/* 1 once it has answered an offer that asks for no more. */
int offer_answer_check(struct offer *offer, json_t *checks, const struct sockaddr_storage *addr,
		       struct fault *fault);
/* Makes the module's session, and says so. */
int offer_get_ready(struct offer *offer, json_t *message, json_t *checks, struct fault *fault);
/* For when it has loaded; @told: to run. */
int offer_note_custody(struct offer *offer, bool told, struct fault *fault);
/* The next message of the source; its end and an abort are failures. Negative: no limit. */
int offer_next_message(struct offer *offer, const char *want, int timeout_ms, json_t **message,
		       struct fault *fault);
/*
 * It is the guest's for a moment: its first steps here are slow, and to put settings back
 * and to end the module's session takes the QEMU's lock and a CPU.
 */
void offer_let_it_run(struct offer *offer);
/* The module's session before its door: its end is waited for. */
void offer_release(struct offer *offer);

/*
 * virtsink.c. An offer of a domain of libvirt's, whose QEMU listens at the socket of the
 * name that it has at the source; here it is @name.
 */
void virtsink_serve(struct chan *control, json_t *message, const char *name);

#endif

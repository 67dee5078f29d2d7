/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A connection between two daemons: TCP, under TLS when there are credentials.
 * It carries messages (be32 length, JSON object) or, once agreed, raw bytes.
 * One thread reads and one writes at a time.
 */
#ifndef CHAN_H
#define CHAN_H

#include <gnutls/gnutls.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "creds.h"
#include "fault.h"

#define CHAN_MESSAGE_BYTES	(1 << 20)
#define CHAN_SILENCE_MS		5000	/* a peer that answers nothing for so long is dead */

struct chan {
	int fd;
	gnutls_session_t tls;	/* NULL: plain */
	char peer[64];		/* for messages: address and port */
	struct sockaddr_storage local, remote;
};

int chan_connect(struct chan *chan, const char *host, uint16_t port, const struct creds *creds,
		 struct fault *fault);
/* Takes over @fd, closes it on failure. */
int chan_accept(struct chan *chan, int fd, const struct creds *creds, struct fault *fault);
void chan_close(struct chan *chan);

/* Takes over @message. */
int chan_send(struct chan *chan, json_t *message, struct fault *fault);
/* 0 and *message; -1 at the time-out (negative: none) and when the peer is gone. */
int chan_receive(struct chan *chan, int timeout_ms, json_t **message, struct fault *fault);
/* Whether something, or the end, can be read without waiting. */
bool chan_readable(struct chan *chan, int timeout_ms);

/* As read(2) and write(2); a write is whole or -1. */
long chan_read(struct chan *chan, void *data, size_t bytes);
int chan_write(struct chan *chan, const void *data, size_t bytes);

/* The length field of a message: -1 when it is out of bounds. */
long chan_length(const uint8_t head[4]);

#endif

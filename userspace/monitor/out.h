/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes that wait until their reader takes them. */
#ifndef MONITOR_OUT_H
#define MONITOR_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "fds.h"

/* Begins as zeros. */
struct out {
	char *buf;
	size_t begin, end, room;
	struct fds fds;		/* go with the byte at fds_at */
	size_t fds_at;
};

/* A message and the end of its line. -1: no memory. */
int out_add(struct out *out, const char *text, size_t bytes);
/* The same with @fds (emptied); only where none wait already. */
int out_add_fds(struct out *out, const char *text, size_t bytes, struct fds *fds);
/* Writes what the socket takes. -1: the reader is gone. */
int out_flush(struct out *out, int socket);
void out_free(struct out *out);

static inline size_t out_waiting(const struct out *out)
{
	return out->end - out->begin;
}

#endif

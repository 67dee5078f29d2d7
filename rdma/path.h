/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether RDMA gets from here to there. */
#ifndef RDMA_PATH_H
#define RDMA_PATH_H

#include <sys/socket.h>

#include "../userspace/fault.h"

/* An RDMA device has that local address; *device is its name. */
int rdma_path_local(const struct sockaddr_storage *addr, char device[64], struct fault *fault);

/*
 * Resolves @to, from the local address @from (family 0: any), and a route to it,
 * in @timeout_ms each.
 */
int rdma_path_resolve(const struct sockaddr_storage *from, const struct sockaddr_storage *to,
		      int timeout_ms, char device[64], struct fault *fault);

#endif

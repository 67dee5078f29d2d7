/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RDMA devices of this host, as libibverbs tells them: what a migration needs
 * of them, and what limits it. What only the kernel knows, the pages that fit
 * in one fast registration, is not among it.
 */
#ifndef PROBE_H
#define PROBE_H

#include <jansson.h>
#include <stdbool.h>

#include "fault.h"

/*
 * Array of {"device","transport","firmware","fast_registration","usable","why",
 * "max_qp","max_qp_wr","max_sge","max_mr","max_mr_bytes","max_cqe","ports":[
 * {"port","state","link_layer","active_mtu","speed_gbps","addresses":[
 * {"address","netdev","type"}]}]}. "why" is what to do where it is not usable.
 */
int probe_devices(json_t **devices, struct fault *fault);

/* Whether a guest could be migrated over one; where not, the fault says what to do. */
bool probe_usable(const json_t *devices, struct fault *fault);

#endif

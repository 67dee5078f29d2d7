/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a migrate command, and of QEMU's settings, becomes an order to the daemon. */
#ifndef MONITOR_ORDER_H
#define MONITOR_ORDER_H

#include <jansson.h>
#include <stdbool.h>

#include "fault.h"
#include "request.h"

/* Its arguments. */
int order_check(const struct request *request, struct fault *fault);
/* @list: of query-migrate-capabilities. Those that cannot be combined with ours. */
int order_check_capabilities(json_t *list, struct fault *fault);
/* QEMU's limits, for what @uri leaves open; and how far it may throttle, if it may. */
json_t *order_options(const char *uri, const json_t *parameters, const json_t *capabilities);

#endif

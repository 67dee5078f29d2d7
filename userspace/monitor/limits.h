/* SPDX-License-Identifier: GPL-2.0-only */
/* The two of QEMU's migration parameters that are ours as well: downtime-limit, max-bandwidth. */
#ifndef MONITOR_LIMITS_H
#define MONITOR_LIMITS_H

#include <jansson.h>
#include <stdbool.h>

#include "fault.h"

/* Whether there is one of them among @parameters (as migrate-set-parameters has them). */
bool limits_named(const json_t *parameters);
/* As integers; caller's. NULL: there are others as well, or one is not what it may be. */
json_t *limits_read(const json_t *parameters, struct fault *fault);
/* From HMP's migrate_set_parameter, as QMP would say it: caller's. NULL: it is not ours to read. */
json_t *limits_of_hmp(const char *name, const char *value);

/* The daemon's options for them; what is 0 in @parameters is left out when @zeros is not set. */
json_t *limits_options(const json_t *parameters, bool zeros);

#endif

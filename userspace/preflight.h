/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What must be true before anything is touched. Each check adds
 * {"check","ok","detail","remedy"} to a list.
 */
#ifndef PREFLIGHT_H
#define PREFLIGHT_H

#include <jansson.h>
#include <stdbool.h>

#include "fault.h"

/* A's checks of its guest alone. */
void preflight_source(json_t *checks, const json_t *facts);
/* B's checks of the guest that is offered against the one that waits. */
void preflight_sink(json_t *checks, const json_t *offered, const json_t *waiting,
		    uint64_t free_bytes);
/* The same of a domain of libvirt's, which compares all but RAM itself; NULL: it is not there yet. */
void preflight_libvirt(json_t *checks, const json_t *offered, const json_t *waiting,
		       uint64_t free_bytes);
/* What another part found out: @fault is told when @err is set. */
void preflight_note(json_t *checks, const char *check, int err, const struct fault *fault,
		    const char *detail);
/* -1 and the first refusal in words, when there is one. */
int preflight_verdict(const json_t *checks, struct fault *fault);

#endif

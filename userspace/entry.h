/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small JSON objects in files below RUN_DIR, which outlive the daemon and are
 * gone with the host's power: what it must not forget when it is killed.
 */
#ifndef ENTRY_H
#define ENTRY_H

#include <jansson.h>

#include "fault.h"

/* Whole or not at all, also when the daemon is killed meanwhile. Takes over @entry. */
int entry_write(const char *kind, const char *name, json_t *entry, struct fault *fault);
/* NULL: errno is ENOENT where there is none, and else why it cannot be read (EBADMSG: no JSON). */
json_t *entry_read(const char *kind, const char *name);
void entry_remove(const char *kind, const char *name);
/* Names of all entries of that kind. */
json_t *entry_names(const char *kind);

#endif

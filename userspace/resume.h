/* SPDX-License-Identifier: GPL-2.0-only */
/* Ends QEMU's migration and has the guest go on here, as before it. */
#ifndef RESUME_H
#define RESUME_H

#include <stdbool.h>

#include "qmp.h"

/* @running: the guest was, before. -1: it could not be brought back, and why. */
int resume_guest(struct qmp *qmp, bool running, struct fault *fault);

/* Whether QEMU still has a migration in hand. */
bool resume_is_migrating(struct qmp *qmp);

/* What query-status says, or "gone". */
const char *resume_status(struct qmp *qmp, char *status, size_t bytes);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A monitor played by script, of a guest that is in a certain state. */
#ifndef PLAYED_H
#define PLAYED_H

#include <stdbool.h>

#include "script.h"

struct played {
	struct script script;
	char status[32];	/* what query-status says; cont makes it "running" */
	const char *migration;	/* what query-migrate says; migrate_cancel makes it "cancelled" */
	bool refuses_cont;
	/* what was heard; atomic */
	int connected, conts, cancels, quits, settings;
};

void played_start(struct played *played, const char *path, const char *status);
void played_end(struct played *played);

#endif

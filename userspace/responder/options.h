/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef RESPONDER_OPTIONS_H
#define RESPONDER_OPTIONS_H

#include "work.h"

struct options {
	unsigned int port;
	struct work_plan work;
};

/* 0; or the program is to end: with the status in *@status, all told. */
int options_parse(int argc, char **argv, struct options *options, int *status);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A file of what was measured, in the directory for them. Faults name it. */
#ifndef CSV_FILE_H
#define CSV_FILE_H

#include <limits.h>
#include <stdio.h>

#include "../fault.h"

struct csv_file {
	FILE *stream;
	char path[PATH_MAX];
};

/* Where it is missing. */
int csv_make_dir(const char *dir, struct fault *fault);
int csv_open(struct csv_file *file, const char *dir, const char *name, struct fault *fault);
/* -1 also when any of it could not be written. */
int csv_close(struct csv_file *file, struct fault *fault);
/* A file that an earlier measurement may have left there. */
void csv_forget(const char *dir, const char *name);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A /run of the test's own, for what keeps its files at its real place there. */
#ifndef RUN_H
#define RUN_H

/* With further @options of tmpfs. Skips the test where that is not allowed. */
void run_own(const char *options);
void run_file(const char *path, const char *text);

#endif

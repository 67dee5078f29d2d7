/* SPDX-License-Identifier: GPL-2.0-only */
/* What was measured, as a short text for people. */
#ifndef SHOW_H
#define SHOW_H

#include <jansson.h>
#include <stdio.h>

/* What the result does not have is left out, or shown as "-". */
void show_print(FILE *stream, const json_t *result);

#endif

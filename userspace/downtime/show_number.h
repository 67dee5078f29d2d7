/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers as people read them; "-" for a value that is none. All return @text. */
#ifndef SHOW_NUMBER_H
#define SHOW_NUMBER_H

#include <jansson.h>

#define NUMBER_BYTES 40

const char *show_number(char text[NUMBER_BYTES], const json_t *value, int decimals);
/* Aligned at the point: whole milliseconds are all that some sources have. */
const char *show_ms(char text[NUMBER_BYTES], const json_t *value);
const char *show_bytes(char text[NUMBER_BYTES], const json_t *value);
const char *show_per_s(char text[NUMBER_BYTES], const json_t *value);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a measurement could have come to: 20 s, the migration from 8 s to 11.4 s, the
 * guest gone for 180 ms at its end; UDP at 1 kHz, TCP at 100 Hz, everything measured.
 */
#ifndef MEASURED_H
#define MEASURED_H

#include <jansson.h>

#include "downtime/series.h"

/* The result, which is the caller's, and what the probes saw: UDP, TCP. */
json_t *measured(const struct series *series[2]);
/* Puts the text in place of every text in it. */
void measured_rename(json_t *value, const char *text);

#endif

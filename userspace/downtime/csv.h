/* SPDX-License-Identifier: GPL-2.0-only */
/* What was measured, as tables: a header line that names units, then lines of values. */
#ifndef CSV_H
#define CSV_H

#include <jansson.h>
#include <stdint.h>

#include "../fault.h"
#include "series.h"

/* From one time to another, in either order. */
static inline double csv_ms(uint64_t since_ns, uint64_t ns)
{
	return (int64_t)(ns - since_ns) / 1e6;
}

/*
 * Writes udp.csv, tcp.csv, marks.csv, parts.csv, rounds.csv, gaps.csv and result.json
 * to the directory, which is made where it is missing. Times count from the
 * result's start_ns. What was not measured is a table without lines, or an empty
 * field; so are a lost sample's fields but the time it was sent.
 */
int csv_write(const char *dir, const json_t *result, const struct series *udp,
	      const struct series *tcp, struct fault *fault);

#endif

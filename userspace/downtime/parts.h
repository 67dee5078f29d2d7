/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the downtime is made of. It is cut where something is known to have ended;
 * where an end was not seen, its part and the next are one, told as such.
 *
 *   cut          part it ends            seen as
 *   stopped      -                       source: STOP
 *   drained      stop and drain          source: MIGRATION pre-switchover or device
 *   RAM arrived  last round              source's daemon: last acknowledgement
 *   saved        device save             source's daemon: last byte of QEMU's stream
 *   transferred  transfer                destination's daemon: last byte; else source: MIGRATION completed
 *   loaded       device load             destination's daemon
 *   resumed      hand-over and resume    destination: RESUME
 *   reply        network                 client: first reply to what it sent
 */
#ifndef PARTS_H
#define PARTS_H

#include <jansson.h>

/*
 * @marks: timeline_json(). {"parts":[{"name","from_ns","to_ns","ms","attributed"}],
 * "total_ms","error_ms"}, or null when the guest was not seen to stop and resume.
 */
json_t *parts_of(const json_t *marks);

/* The marks between which the guest ran nowhere, where they are there; not the caller's. */
json_t *parts_stop(const json_t *marks);
json_t *parts_resume(const json_t *marks);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef RESPONDER_PORT_H
#define RESPONDER_PORT_H

#include "../fault.h"

/*
 * A bound socket of @type SOCK_DGRAM, or SOCK_STREAM, which then does not block: for
 * IPv6 and IPv4, or for IPv4 where there is nothing else.
 */
int port_open(int type, unsigned int port, struct fault *fault);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Answers on UDP, a datagram for a datagram. */
#ifndef RESPONDER_UDP_H
#define RESPONDER_UDP_H

#include "answer.h"

int udp_start(const struct answers *answers, unsigned int port, struct fault *fault);

#endif

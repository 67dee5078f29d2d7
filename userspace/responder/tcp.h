/* SPDX-License-Identifier: GPL-2.0-only */
/* Answers on TCP, a line for a line, to many clients in turn. */
#ifndef RESPONDER_TCP_H
#define RESPONDER_TCP_H

#include "answer.h"

#define TCP_CLIENTS 256

int tcp_start(const struct answers *answers, unsigned int port, struct fault *fault);

#endif

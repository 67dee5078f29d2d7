/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The measuring end on a host, driven over its standard input and output by the
 * observer, who started it there (remote.h). JSON objects on lines; every request
 * has an "id", which its answer repeats. Times are this host's CLOCK_MONOTONIC.
 *
 *   {"do":"ping"}                             {"ns":I}
 *   {"do":"open","monitor":NAME,"path":PATH}  {}
 *   {"do":"call","monitor":NAME,"execute":COMMAND,"arguments":{}?}
 *                                             {"ns":I,"return":...}
 *   {"do":"stat","monitor":NAME?}             {"cpu_s":f,"pinned_bytes":I?}
 *   {"do":"run","argv":[WORD...]}             at its end {"status":I,"output":TEXT,"errors":TEXT}
 *   {"do":"interrupt","run":ID}               {}
 *
 * What fails is answered by {"error":TEXT}. By itself it says
 *
 *   {"monitor":NAME,"event":{...},"ns":I,"event_ns":I}   by arrival, and by QEMU's own time stamp
 *   {"monitor":NAME,"gone":true}
 *
 * Its programs get an interrupt when it loses its observer.
 */
#ifndef AGENT_H
#define AGENT_H

void agent_serve(int in, int out);

#endif

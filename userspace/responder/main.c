// SPDX-License-Identifier: GPL-2.0-only
/* Answers, from within a guest, those who measure from outside how long it was gone. */
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "../clock.h"
#include "options.h"
#include "stalls.h"
#include "tcp.h"
#include "thread.h"
#include "udp.h"

static struct options options;
static struct ticker ticker;
static atomic_bool ready;

static void tell_facts(struct facts *facts)
{
	facts->ready = ready;
	facts->clock_us = clock_ns() / 1000;
	facts->ticks = ticker.ticks;
	facts->longest_jump_us = ticker.longest_jump_us;
	work_count(&facts->work, &facts->errors);
}

static void tell_status(struct text *text)
{
	text_add(text, ",\"realtime\":%s", thread_realtime() ? "true" : "false");
	stalls_tell(text);
	work_tell(text);
}

static void reset(void)
{
	ticker_reset(&ticker);
	stalls_reset();
}

static int dirty(const char *argument, struct fault *fault)
{
	if (!options.work.bytes)
		return fail(fault, "there is no work to do: start the responder with --work");
	return argument ? work_set_rate(argument, fault) : fail(fault, "dirty BYTES, or dirty max");
}

static const struct request requests[] = {
	{ "dirty", "dirty BYTES|max", dirty },
	{ 0 },
};

static const struct answers answers = { tell_facts, tell_status, reset, requests };

static int start(struct fault *fault)
{
	if (udp_start(&answers, options.port, fault) ||
	    tcp_start(&answers, options.port, fault) ||
	    ticker_start(&ticker, THREAD_ANY_CPU, fault) ||
	    stalls_start(&ticker, fault) ||
	    work_start(&options.work, fault))
		return -1;
	ready = true;
	return 0;
}

int main(int argc, char **argv)
{
	struct fault fault;
	int status;

	if (options_parse(argc, argv, &options, &status))
		return status;
	if (start(&fault)) {
		fprintf(stderr, "vmfastmig-responder: %s\n", fault.text);
		return 1;
	}
	printf("answers on UDP and TCP port %u\n", options.port);
	fflush(stdout);
	for (;;)
		pause();
}

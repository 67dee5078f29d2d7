// SPDX-License-Identifier: GPL-2.0
/* What the guest tells and obeys beside what every responder does. */
#include <sys/reboot.h>

#include "guest.h"
#include "responder/answer.h"
#include "responder/pace.h"
#include "responder/stalls.h"
#include "responder/tcp.h"
#include "responder/thread.h"
#include "responder/ticker.h"
#include "responder/udp.h"

#define GUEST_PORT 7000

static struct ticker ticker;

static void tell_facts(struct facts *facts)
{
	facts->ready = counters.ready;
	facts->clock_us = now_us();
	facts->ticks = ticker.ticks;
	facts->longest_jump_us = ticker.longest_jump_us;
	facts->work = counters.writes;
	facts->errors = counters.errors;
	facts->disk_errors = counters.disk_errors;
}

static void tell_status(struct text *text)
{
	text_add(text, ",\"writes\":%llu,\"pages_checked\":%llu,\"passes\":%llu,"
		 "\"disk_reads\":%llu,\"disk_errors\":%llu,\"nested_writes\":%llu,\"nested_passes\":%llu,"
		 "\"pages\":%zu",
		 counters.writes, counters.pages_checked, counters.passes, counters.disk_reads,
		 counters.disk_errors, counters.nested_writes, counters.nested_passes,
		 pages_count(AREA_WS) + pages_count(AREA_COLD));
	pace_tell(settings.dirty_bytes_per_s, "dirty_bytes_per_s", text);
	stalls_tell(text);
	latency_tell(&counters.write_latency, text);
	throughput_tell(text);
}

static void reset(void)
{
	ticker_reset(&ticker);
	stalls_reset();
}

static int dirty(const char *argument, struct fault *fault)
{
	return argument ? pace_parse(argument, &settings.dirty_bytes_per_s, fault) :
	       fail(fault, "dirty BYTES, or dirty max");
}

static int check(const char *argument, struct fault *fault)
{
	return argument ? pace_parse(argument, &settings.check_bytes_per_s, fault) :
	       fail(fault, "check BYTES, or check max");
}

static int power_off(const char *argument, struct fault *fault)
{
	(void)argument;
	reboot(RB_POWER_OFF);
	return fail(fault, "cannot power off");
}

static const struct request requests[] = {
	{ "dirty", "dirty BYTES|max", dirty },
	{ "check", "check BYTES|max", check },
	{ "throughput", "throughput BYTES MS", throughput_start },
	{ "poweroff", "poweroff", power_off },
	{ 0 },
};

static const struct answers answers = { tell_facts, tell_status, reset, requests };

void responder_start(void)
{
	struct fault fault;

	if (udp_start(&answers, GUEST_PORT, &fault) || tcp_start(&answers, GUEST_PORT, &fault))
		say("%s", fault.text);
}

void responder_tick(void)
{
	struct fault fault;

	if (ticker_start(&ticker, THREAD_ANY_CPU, &fault) || stalls_start(&ticker, &fault))
		say("%s", fault.text);
}

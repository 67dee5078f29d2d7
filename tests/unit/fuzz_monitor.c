// SPDX-License-Identifier: GPL-2.0-only
/* What clients say: whatever it is, QEMU gets whole commands with ids of ours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "monitor/monitor.h"

const unsigned int fuzz_iterations = 10000;

const char *const fuzz_seeds[] = {
	"{\"execute\":\"query-status\",\"id\":{\"a\":[1,\"}\"]}}{'execute':'cont'}\n",
	"{\"exec-oob\":\"migrate-pause\",\"id\":1}\r\n{\"execute\":\"stop\",\"arguments\":{}}",
	"{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"rdmafast:b?downtime=1\",\"detach\":true}}",
	"{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"migrate -d rdmafast:b\"}}",
	"{\"execute\":\"migrate_cancel\"}{\"execute\":\"query-migrate\"} [1,{\"x\":\"\\\"\"}] x}{",
	"{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"],\"vmfastmig\":true}}",
	NULL,
};

/* Each line an object with a number; the same number never again. */
static void check_said(const char *said, size_t bytes)
{
	json_int_t last = 0;

	while (bytes) {
		const char *end = memmem(said, bytes, "\r\n", 2);
		json_t *object, *id;

		if (!end)
			abort();
		object = json_loadb(said, end - said, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL |
				    JSON_DECODE_INT_AS_REAL, NULL);
		id = json_object_get(object, "id");
		if (!json_is_real(id) || json_real_value(id) <= (double)last)
			abort();
		last = (json_int_t)json_real_value(id);
		json_decref(object);
		bytes -= end + 2 - said;
		said = end + 2;
	}
}

/* QEMU answers all it was asked. */
static void answer_all(struct monitor *monitor)
{
	char text[64];
	unsigned int i;

	for (i = 1; i <= monitor->qemu.last_number; i++) {
		snprintf(text, sizeof(text), "{\"return\": [], \"id\": %u}", i);
		monitor_heed(monitor, text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct monitor monitor = { .listen_fd = -1, .daemon = "/dev/null", .qemu.fd = -1,
				   .qemu.oob = true };
	int pair[2], i;

	if (bytes > 32768 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 0;
	monitor.users = user_new(pair[0], 1);
	monitor.users->negotiated = bytes & 1;
	monitor.users->oob = bytes & 2;
	if (send(pair[1], data, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		abort();
	shutdown(pair[1], SHUT_WR);
	for (i = 0; i < 8; i++) {
		if (user_events(monitor.users) & POLLIN)
			user_read(monitor.users);
		monitor_hear_all(&monitor);
		answer_all(&monitor);
	}
	check_said(monitor.qemu.out.buf, out_waiting(&monitor.qemu.out));
	close(pair[1]);
	monitor_close(&monitor);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The monitor's client on what comes after the greeting, up to the closing. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "qmp.h"

const unsigned int fuzz_iterations = 10000;

const char *const fuzz_seeds[] = {
	"{\"event\":\"STOP\",\"timestamp\":{\"seconds\":1,\"microseconds\":2}}\r\n{\"return\":{},\"id\":1}\r\n",
	"{\"event\":\"MIGRATION\",\"data\":{\"status\":\"completed\"}}\r\n",
	"{\"id\":1,\"error\":{\"class\":\"GenericError\",\"desc\":\"no\"}}\r\n",
	"{\"return\":[{\"name\":\"x\",\"type\":\"child<memory-backend-file>\"}],\"id\":1}\n",
	"{\"QMP\":{\"version\":{\"qemu\":{\"micro\":22,\"minor\":2,\"major\":7}}}}\n",
	NULL,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const char *const statuses[] = { "completed", "failed", NULL };
	struct qmp qmp = { .path = "fuzz" };
	json_t *answer = NULL, *event;
	struct fault fault;
	int pair[2];

	if (bytes > 32768 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 0;
	qmp.events = json_array();
	qmp.fd = pair[0];
	if (send(pair[1], data, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		abort();
	shutdown(pair[1], SHUT_WR);
	if (!qmp_call(&qmp, "query-migrate", NULL, &answer, &fault))
		json_decref(answer);
	while (qmp_wait_event(&qmp, "MIGRATION", statuses, 1000, WATCH_NOTHING, &event, &fault) ==
	       1)
		json_decref(event);
	close(pair[0]);
	close(pair[1]);
	json_decref(qmp.events);
	linebuf_free(&qmp.lines);
	return 0;
}

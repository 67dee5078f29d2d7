// SPDX-License-Identifier: GPL-2.0-only
/* A QEMU that knows rdmafast: on the UNIX socket: its request, then what it says. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "native.h"

const unsigned int fuzz_iterations = 10000;

const char *const fuzz_seeds[] = {
	"{\"command\":\"native\",\"uri\":\"rdmafast:b\",\"facts\":{\"name\":\"vm\",\"uuid\":\"u\",\"status\":\"running\",\"qemu\":[7,2,22],\"arch\":\"x86_64\",\"machine\":\"pc\",\"cpu\":\"host\",\"cpu_features\":[],\"vcpus\":1,\"ram_bytes\":4096},\"regions\":[{\"id\":\"ram0\",\"bytes\":4096}]}\n{\"do\":\"round\",\"bandwidth\":1}\n",
	"{\"do\":\"pending\"}\n{\"do\":\"final\"}\n{\"do\":\"loaded\"}\n{\"do\":\"commit\"}\n",
	"{\"loaded\":true}\n",
	NULL,
};

/* The descriptors are none of the filesystem's: what refuses them frees the rest. */
static void take(json_t *words)
{
	struct native native;
	struct fault fault;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		abort();
	if (!native_take(&native, words, pair[0], pair, 2, &fault))
		abort();
	close(pair[0]);
	close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct native native = { .stream = -1 };
	json_t *words;
	struct fault fault;
	int pair[2];

	if (bytes > 32768 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 0;
	lines_open(&native.lines, "QEMU", pair[0], pair[0]);
	if (send(pair[1], data, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		abort();
	shutdown(pair[1], SHUT_WR);
	while (!native_next(&native, 1000, WATCH_NOTHING, &words, &fault)) {
		take(words);
		json_decref(words);
	}
	close(pair[0]);
	close(pair[1]);
	linebuf_free(&native.lines.buf);
	return 0;
}

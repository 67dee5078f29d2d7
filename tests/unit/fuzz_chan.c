// SPDX-License-Identifier: GPL-2.0-only
/* chan_receive() on what a peer may send, up to its closing. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chan.h"
#include "fuzz.h"

const unsigned int fuzz_iterations = 10000;

/* A length in front of each is the first byte: the mutations have to be cheap. */
const char *const fuzz_seeds[] = {
	"\x25{\"protocol\":1,\"purpose\":\"control\"}  \x1c{\"loaded\":true,\"x\":[1,2.5]}",
	"\x12{\"commit\":{\"a\":1}}",
	"\x02{}\x02{}\x02[]",
	"\x1a{\"error\":\"\\u00e9 \xc3\xa9\",\"n\":-1}",
	NULL,
};

/* Each length byte becomes the four of the wire. */
static void feed(int fd, const uint8_t *data, size_t bytes)
{
	while (bytes) {
		uint8_t head[4] = { data[0] & 0x80 ? data[0] : 0, 0, data[0] & 0x40 ? 0xff : 0, data[0] };
		size_t count = data[0] < bytes ? data[0] : bytes - 1;

		if (send(fd, head, 4, MSG_NOSIGNAL) != 4 ||
		    send(fd, data + 1, count, MSG_NOSIGNAL) != (ssize_t)count)
			abort();
		data += 1 + count;
		bytes -= 1 + count;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct chan chan = { .peer = "fuzz" };
	struct fault fault;
	json_t *message;
	int pair[2];

	if (bytes > 32768 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 0;
	chan.fd = pair[0];
	feed(pair[1], data, bytes);
	close(pair[1]);
	while (!chan_receive(&chan, 1000, &message, &fault)) {
		if (!json_is_object(message))
			abort();
		json_decref(message);
	}
	if (message)
		abort();
	chan_close(&chan);
	return 0;
}

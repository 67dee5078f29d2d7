// SPDX-License-Identifier: GPL-2.0-only
/* chan_receive() on what a peer may send, up to its closing. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chan.h"
#include "fuzz.h"

#define INPUT_BYTES 4096

const unsigned int fuzz_iterations = 10000;

/* A length in front of each is the first byte: the mutations have to be cheap. */
const char *const fuzz_seeds[] = {
	"\x25{\"protocol\":1,\"purpose\":\"control\"}  \x1c{\"loaded\":true,\"x\":[1,2.5]}",
	"\x12{\"commit\":{\"a\":1}}",
	"\x02{}\x02{}\x02[]",
	"\x1a{\"error\":\"\\u00e9 \xc3\xa9\",\"n\":-1}",
	NULL,
};

/* Each length byte becomes the four of the wire. Answers how much that made. */
static size_t frame(const uint8_t *data, size_t bytes, uint8_t *framed)
{
	uint8_t *at = framed;

	while (bytes) {
		uint8_t head[4] = { data[0] & 0x80 ? data[0] : 0, 0, data[0] & 0x40 ? 0xff : 0,
				   data[0] };
		size_t count = data[0] < bytes ? data[0] : bytes - 1;

		memcpy(at, head, 4);
		memcpy(at + 4, data + 1, count);
		at += 4 + count;
		data += 1 + count;
		bytes -= 1 + count;
	}
	return at - framed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct chan chan = { .peer = "fuzz" };
	struct fault fault;
	json_t *message;
	uint8_t framed[4 * INPUT_BYTES];
	size_t count;
	int pair[2];

	if (bytes > INPUT_BYTES || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 0;
	chan.fd = pair[0];
	count = frame(data, bytes, framed);
	if (send(pair[1], framed, count, MSG_NOSIGNAL) != (ssize_t)count)
		abort();
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

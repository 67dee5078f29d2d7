// SPDX-License-Identifier: GPL-2.0-only
/* uri_parse(): whatever it takes is within its bounds, and is what it says. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "uri.h"

const unsigned int fuzz_iterations = 200000;

const char *const fuzz_seeds[] = {
	"rdmafast:b",
	"rdmafast:10.0.0.2:7000/vm-1?downtime=50&bandwidth=100M&rounds=7&timeout=9&force&paused",
	"rdmafast:[fd00::2]:7471/a%2fb%25?paused=off",
	"rdmafast:[fe80::1%eth0]/caf%c3%a9",
	"rdmafast:0/vm",
	"rdmafast:host.example:65535?bandwidth=18446744073709551615&downtime=60000",
	"rdmafast:h?bandwidth=16777215T&force=on&paused=0",
	NULL,
};

static void need(int good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fault fault;
	struct uri uri;
	char *text = malloc(bytes + 1);
	int err;

	memcpy(text, data, bytes);
	text[bytes] = 0;
	memset(&uri, 0xa5, sizeof(uri));
	memset(&fault, 0xa5, sizeof(fault));
	err = uri_parse(text, &uri, &fault);
	free(text);
	if (err) {
		need(err == -1 && memchr(fault.text, 0, sizeof(fault.text)) && *fault.text);
		return 0;
	}
	need(memchr(uri.host, 0, sizeof(uri.host)) && *uri.host && uri.port);
	need(memchr(uri.name, 0, sizeof(uri.name)) != NULL);
	need(uri.options.downtime_ms >= 1 && uri.options.downtime_ms <= 60000);
	need(uri.options.rounds >= 1 && uri.options.rounds <= 10000);
	need(uri.options.timeout_s <= 86400);
	return 0;
}

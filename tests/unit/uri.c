// SPDX-License-Identifier: GPL-2.0-only
/* The grammar of rdmafast: URIs, what each option takes, and every refusal. */
#include <stdio.h>
#include <string.h>

#include "tap.h"
#include "uri.h"

static struct uri uri;
static struct fault fault;

static int parse(const char *text)
{
	memset(&uri, 0xa5, sizeof(uri));
	memset(&fault, 0, sizeof(fault));
	return uri_parse(text, &uri, &fault);
}

static void is(const char *text, const char *host, unsigned int port, const char *name)
{
	if (!CHECK(!parse(text)))
		CHECK_TEXT(fault.text, text);
	CHECK_TEXT(uri.host, host);
	CHECK(uri.port == port);
	CHECK_TEXT(uri.name, name);
}

static void refused(const char *text, const char *why)
{
	CHECK(parse(text) == -1);
	CHECK_HAS(fault.text, why);
}

static void host_port_name(void)
{
	is("rdmafast:b", "b", 7471, "");
	is("rdmafast:0", "0", 7471, "");
	is("rdmafast:10.0.0.2:7000", "10.0.0.2", 7000, "");
	is("rdmafast:host.example/vm-1", "host.example", 7471, "vm-1");
	is("rdmafast:host:1/vm", "host", 1, "vm");
	is("rdmafast:host:65535/vm?paused", "host", 65535, "vm");
	is("rdmafast:host/", "host", 7471, "");
	is("rdmafast:host?force", "host", 7471, "");
	is("rdmafast:host/a/b", "host", 7471, "a/b");
}

static void defaults(void)
{
	CHECK(!parse("rdmafast:b"));
	CHECK(uri.options.downtime_ms == 300 && uri.options.rounds == 30);
	CHECK(!uri.options.bandwidth && !uri.options.timeout_s);
	CHECK(!uri.options.force && !uri.options.paused);
}

static void ipv6(void)
{
	is("rdmafast:[::1]", "::1", 7471, "");
	is("rdmafast:[fd00::2]:7000/vm", "fd00::2", 7000, "vm");
	is("rdmafast:[fe80::1%eth0]:7000", "fe80::1%eth0", 7000, "");
	is("rdmafast:[::1]?paused", "::1", 7471, "");
	refused("rdmafast:[::1", "no ]");
	refused("rdmafast:[::1/vm]", "no ]");
	refused("rdmafast:[]", "no host");
	refused("rdmafast:[::1]7000", "what is \"7000\"");
	refused("rdmafast:fd00::2", "IPv6 addresses go in []");
	refused("rdmafast:::1", "no host");
}

static void escapes(void)
{
	is("rdmafast:b/%2f%3F%26%25", "b", 7471, "/?&%");
	is("rdmafast:b/caf%C3%a9", "b", 7471, "caf\xc3\xa9");
	is("rdmafast:b/%41%42c", "b", 7471, "ABc");
	refused("rdmafast:b/%", "escape");
	refused("rdmafast:b/%4", "escape");
	refused("rdmafast:b/vm%4?force", "escape");
	refused("rdmafast:b/%4g", "escape");
	refused("rdmafast:b/%g4", "escape");
	refused("rdmafast:b/%-1", "escape");
	refused("rdmafast:b/a%00b", "NUL");
}

/* Names travel as JSON text. */
static void name_is_utf8(void)
{
	refused("rdmafast:b/%ff", "UTF-8");
	refused("rdmafast:b/caf%c3", "UTF-8");
	refused("rdmafast:b/%ed%a0%80", "UTF-8");
}

static void lengths(void)
{
	char text[2048] = "rdmafast:", *at = text + strlen(text);

	memset(at, 'h', 255);
	CHECK(!parse(text) && strlen(uri.host) == 255);
	at[255] = 'h';
	refused(text, "host");

	strcpy(text, "rdmafast:b/");
	at = text + strlen(text);
	memset(at, 'n', 255);
	at[255] = 0;
	CHECK(!parse(text) && strlen(uri.name) == 255);
	strcpy(at + 255, "%6e");
	refused(text, "too long");

	strcpy(text, "rdmafast:b?force");
	at = text + strlen(text);
	memset(at, '&', 1018);
	at[1018] = 0;
	CHECK(!parse(text) && uri.options.force);
	strcpy(at + 1018, "&");
	refused(text, "options are too long");
}

static void ports(void)
{
	refused("rdmafast:b:", "no port");
	refused("rdmafast:b:x", "no port");
	refused("rdmafast:b:-1", "no port");
	refused("rdmafast:b:0", "1 to 65535");
	refused("rdmafast:b:65536", "1 to 65535");
	refused("rdmafast:b:000080", "1 to 65535");
	refused("rdmafast:b:99999999999999999999999", "1 to 65535");
	refused("rdmafast:b:80x", "what is \"x\"");
	refused("rdmafast:b:1:2", "what is \":2\"");
}

static void schemes(void)
{
	refused("", "not an rdmafast:");
	refused("rdmafast", "not an rdmafast:");
	refused("rdma:b", "not an rdmafast:");
	refused("RDMAFAST:b", "not an rdmafast:");
	refused("tcp:b:1", "not an rdmafast:");
	refused("rdmafast:", "no host");
	refused("rdmafast:/vm", "no host");
	refused("rdmafast:?force", "no host");
	refused("rdmafast::7000", "no host");
}

static void options(void)
{
	const struct uri_options *o = &uri.options;

	CHECK(!parse("rdmafast:b:1/vm?downtime=50&bandwidth=100M&rounds=7&timeout=9&force&paused"));
	CHECK(o->downtime_ms == 50 && o->bandwidth == 100 << 20 && o->rounds == 7);
	CHECK(o->timeout_s == 9 && o->force && o->paused);
	CHECK(!parse("rdmafast:b?force=on&paused=1") && o->force && o->paused);
	CHECK(!parse("rdmafast:b?force&force=off&paused=1&paused=0") && !o->force && !o->paused);
	CHECK(!parse("rdmafast:b?downtime=1&downtime=2") && o->downtime_ms == 2);
	refused("rdmafast:b?speed=1", "unknown option speed");
	refused("rdmafast:b?Downtime=1", "unknown option Downtime");
	refused("rdmafast:b?=1", "unknown option");
	refused("rdmafast:b?force=yes", "force=yes: on or off");
	refused("rdmafast:b?paused=", "paused=: on or off");
	refused("rdmafast:b?downtime", "downtime needs a number");
	refused("rdmafast:b?rounds=", "rounds needs a number");
}

static void ranges(void)
{
	const struct uri_options *o = &uri.options;

	CHECK(!parse("rdmafast:b?downtime=1") && o->downtime_ms == 1);
	CHECK(!parse("rdmafast:b?downtime=60000") && o->downtime_ms == 60000);
	refused("rdmafast:b?downtime=0", "1 to 60000");
	refused("rdmafast:b?downtime=60001", "1 to 60000");
	CHECK(!parse("rdmafast:b?rounds=1") && o->rounds == 1);
	CHECK(!parse("rdmafast:b?rounds=10000") && o->rounds == 10000);
	refused("rdmafast:b?rounds=0", "1 to 10000");
	refused("rdmafast:b?rounds=10001", "1 to 10000");
	CHECK(!parse("rdmafast:b?timeout=0") && !o->timeout_s);
	CHECK(!parse("rdmafast:b?timeout=86400") && o->timeout_s == 86400);
	CHECK(!parse("rdmafast:b?send-zeros") && o->send_zeros);
	CHECK(!parse("rdmafast:b?send-zeros=off") && !o->send_zeros);
	refused("rdmafast:b?send-zeros=7", "on or off");
	CHECK(!parse("rdmafast:b?max-slowdown=0") && !o->max_slowdown);
	CHECK(!parse("rdmafast:b?max-slowdown=99") && o->max_slowdown == 99);
	refused("rdmafast:b?max-slowdown=100", "0 to 99");
	refused("rdmafast:b?max-slowdown", "needs a number");
	refused("rdmafast:b?timeout=86401", "0 to 86400");
	refused("rdmafast:b?timeout=4294967297", "0 to 86400");
}

static void numbers(void)
{
	static const char *const bad[] = { "-1", "+1", " 1", "x", "0x10", "1e3", "1.5", "1k",
					  "1 " };
	char text[64];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "rdmafast:b?downtime=%s", bad[i]);
		refused(text, "number");
	}
	refused("rdmafast:b?downtime=99999999999999999999", "too large");
}

static void suffixes(void)
{
	const uint64_t *bandwidth = &uri.options.bandwidth;

	CHECK(!parse("rdmafast:b?bandwidth=0") && !*bandwidth);
	CHECK(!parse("rdmafast:b?bandwidth=1k") && *bandwidth == 1ULL << 10);
	CHECK(!parse("rdmafast:b?bandwidth=1K") && *bandwidth == 1ULL << 10);
	CHECK(!parse("rdmafast:b?bandwidth=2m") && *bandwidth == 2ULL << 20);
	CHECK(!parse("rdmafast:b?bandwidth=3G") && *bandwidth == 3ULL << 30);
	CHECK(!parse("rdmafast:b?bandwidth=4t") && *bandwidth == 4ULL << 40);
	CHECK(!parse("rdmafast:b?bandwidth=16777215T") && *bandwidth == 16777215ULL << 40);
	CHECK(!parse("rdmafast:b?bandwidth=18446744073709551615") && *bandwidth == UINT64_MAX);
	refused("rdmafast:b?bandwidth=16777216T", "too large");
	refused("rdmafast:b?bandwidth=18446744073709551616", "too large");
	refused("rdmafast:b?bandwidth=1kk", "not a number");
	refused("rdmafast:b?bandwidth=1p", "not a number");
	refused("rdmafast:b?bandwidth=k", "needs a number");
	refused("rdmafast:b?bandwidth", "needs a number");
}

/* A refused option leaves the others as they were. */
static void one_by_one(void)
{
	struct uri_options o;

	uri_options_init(&o);
	CHECK(!uri_option(&o, "downtime", "20", &fault) && o.downtime_ms == 20);
	CHECK(uri_option(&o, "downtime", "0", &fault) == -1 && o.downtime_ms == 20);
	CHECK(uri_option(&o, "rounds", NULL, &fault) == -1 && o.rounds == 30);
	CHECK(uri_option(&o, "bandwidth", "lots", &fault) == -1);
	CHECK(!uri_option(&o, "force", NULL, &fault) && o.force);
	CHECK(uri_option(&o, "", NULL, &fault) == -1);
}

int main(void)
{
	static const struct test tests[] = {
		{ "host, port and name", host_port_name },
		{ "defaults", defaults },
		{ "IPv6 addresses in brackets", ipv6 },
		{ "percent escapes in names", escapes },
		{ "names are UTF-8", name_is_utf8 },
		{ "longest host, name and options", lengths },
		{ "ports", ports },
		{ "schemes", schemes },
		{ "options", options },
		{ "ranges of options", ranges },
		{ "numbers", numbers },
		{ "bandwidth suffixes", suffixes },
		{ "options one by one", one_by_one },
	};

	return TAP_RUN(tests);
}

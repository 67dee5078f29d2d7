// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "uri.h"

#define SCHEME "rdmafast:"

void uri_options_init(struct uri_options *options)
{
	*options = (struct uri_options){ .downtime_ms = 300, .rounds = 30 };
}

static int number(const char *key, const char *value, uint64_t low, uint64_t high, bool suffix,
		  uint64_t *out, struct fault *fault)
{
	static const char units[] = "kmgt";
	const char *unit;
	char *end;

	if (!value || !isdigit((unsigned char)*value))
		return fail(fault, "%s needs a number", key);
	errno = 0;
	*out = strtoull(value, &end, 10);
	if (errno)
		return fail(fault, "%s=%s is too large", key, value);
	unit = suffix && *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
	if (unit) {
		int shift = 10 * (int)(unit - units + 1);

		if (*out > UINT64_MAX >> shift)
			return fail(fault, "%s=%s is too large", key, value);
		*out <<= shift;
		end++;
	}
	if (*end)
		return fail(fault, "%s=%s is not a number", key, value);
	if (*out < low || *out > high)
		return fail(fault, "%s=%s is out of range: %llu to %llu", key, value,
			    (unsigned long long)low, (unsigned long long)high);
	return 0;
}

static int flag(const char *key, const char *value, bool *out, struct fault *fault)
{
	if (!value || !strcmp(value, "on") || !strcmp(value, "1"))
		*out = true;
	else if (!strcmp(value, "off") || !strcmp(value, "0"))
		*out = false;
	else
		return fail(fault, "%s=%s: on or off", key, value);
	return 0;
}

int uri_option(struct uri_options *options, const char *key, const char *value,
	       struct fault *fault)
{
	uint64_t n = 0;
	int err;

	if (!strcmp(key, "force"))
		return flag(key, value, &options->force, fault);
	if (!strcmp(key, "paused"))
		return flag(key, value, &options->paused, fault);
	if (!strcmp(key, "send-zeros"))
		return flag(key, value, &options->send_zeros, fault);
	if (!strcmp(key, "bandwidth"))
		return number(key, value, 0, UINT64_MAX, true, &options->bandwidth, fault);
	if (!strcmp(key, "downtime")) {
		err = number(key, value, 1, 60000, false, &n, fault);
		options->downtime_ms = err ? options->downtime_ms : n;
		return err;
	}
	if (!strcmp(key, "rounds")) {
		err = number(key, value, 1, 10000, false, &n, fault);
		options->rounds = err ? options->rounds : n;
		return err;
	}
	if (!strcmp(key, "max-slowdown")) {
		err = number(key, value, 0, URI_SLOWDOWN_MOST, false, &n, fault);
		options->max_slowdown = err ? options->max_slowdown : n;
		return err;
	}
	if (!strcmp(key, "timeout")) {
		err = number(key, value, 0, 86400, false, &n, fault);
		options->timeout_s = err ? options->timeout_s : n;
		return err;
	}
	return fail(fault, "unknown option %s: downtime, bandwidth, rounds, max-slowdown, force, paused, send-zeros, timeout",
		    key);
}

bool uri_option_is_live(const char *key)
{
	static const char *const live[] = {
		"bandwidth", "downtime", "rounds", "max-slowdown", "timeout", "force",
	};
	size_t i;

	for (i = 0; i < sizeof(live) / sizeof(*live); i++)
		if (!strcmp(key, live[i]))
			return true;
	return false;
}

static int hex(char c)
{
	if (!isxdigit((unsigned char)c))
		return -1;
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static int decode_name(const char *from, size_t bytes, struct uri *uri, struct fault *fault)
{
	size_t i, out = 0;

	for (i = 0; i < bytes; i++) {
		char c = from[i];

		if (c == '%') {
			if (i + 2 >= bytes || hex(from[i + 1]) < 0 || hex(from[i + 2]) < 0)
				return fail(fault, "bad %%-escape in the guest's name");
			c = (char)(hex(from[i + 1]) * 16 + hex(from[i + 2]));
			i += 2;
		}
		if (!c || out + 1 >= sizeof(uri->name))
			return fail(fault, "the guest's name is too long or holds a NUL");
		uri->name[out++] = c;
	}
	uri->name[out] = 0;
	return text_to_utf8(uri->name) ? fail(fault, "the guest's name is not UTF-8") : 0;
}

static int parse_options(char *text, struct uri_options *options, struct fault *fault)
{
	char *save = NULL, *item;

	for (item = strtok_r(text, "&", &save); item; item = strtok_r(NULL, "&", &save)) {
		char *value = strchr(item, '=');

		if (value)
			*value++ = 0;
		if (uri_option(options, item, value, fault))
			return -1;
	}
	return 0;
}

int uri_parse_host(const char **at, struct uri *uri, struct fault *fault)
{
	bool bracket = **at == '[';
	const char *from = *at + bracket;
	size_t bytes = strcspn(from, bracket ? "]/?" : ":/?");

	if (!bytes || bytes >= sizeof(uri->host))
		return fail(fault, "no host in the URI: rdmafast:HOST[:PORT][/NAME]");
	if (bracket && from[bytes] != ']')
		return fail(fault, "no ] after the IPv6 address");
	memcpy(uri->host, from, bytes);
	uri->host[bytes] = 0;
	*at = from + bytes + bracket;
	return 0;
}

int uri_parse_port(const char **at, struct uri *uri, struct fault *fault)
{
	char *end;
	unsigned long port;

	if (**at != ':')
		return 0;
	if (!isdigit((unsigned char)(*at)[1]))
		return fail(fault, "no port after the colon; IPv6 addresses go in []");
	port = strtoul(*at + 1, &end, 10);
	if (end - *at > 6 || !port || port > 65535)
		return fail(fault, "port out of range: 1 to 65535");
	uri->port = port;
	*at = end;
	return 0;
}

bool uri_is_ours(const char *text)
{
	return !strncmp(text, SCHEME, strlen(SCHEME));
}

int uri_parse(const char *text, struct uri *uri, struct fault *fault)
{
	char options[1024];
	size_t bytes;

	memset(uri, 0, sizeof(*uri));
	uri->port = URI_PORT;
	uri_options_init(&uri->options);
	if (!uri_is_ours(text))
		return fail(fault, "not an rdmafast: URI");
	text += strlen(SCHEME);
	if (uri_parse_host(&text, uri, fault) || uri_parse_port(&text, uri, fault))
		return -1;
	if (*text == '/') {
		bytes = strcspn(++text, "?");
		if (decode_name(text, bytes, uri, fault))
			return -1;
		text += bytes;
	}
	if (*text == '?') {
		if (strlen(++text) >= sizeof(options))
			return fail(fault, "the URI's options are too long");
		strcpy(options, text);
		return parse_options(options, &uri->options, fault);
	}
	if (*text)
		return fail(fault, "what is \"%.32s\" in the URI?", text);
	return 0;
}

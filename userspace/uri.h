/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rdmafast: URIs.
 *
 *   uri     = "rdmafast:" host [ ":" port ] [ "/" name ] [ "?" option *( "&" option ) ]
 *   host    = IPv4 address / host name / "[" IPv6 address "]" / "0" (incoming: any)
 *   port    = 1*5DIGIT, 1 to 65535; default URI_PORT
 *   name    = the guest's name, percent-encoded where it has / ? & %
 *   option  = key "=" value, or key alone for a flag
 *
 *   downtime=MS      target in milliseconds, 1 to 60000; default 300
 *   bandwidth=BYTES  per second, with suffix k, M, G, T (powers of 1024); 0 is no limit
 *   rounds=N         most rounds before it gives up, 1 to 10000; default 30
 *   force            switch over after the last round even if not converged
 *   paused           the destination stays paused
 *   send-zeros       pages of zeros are sent as they are, not looked for
 *   max-slowdown=PERCENT  by how much its dirtying may be slowed down so that it
 *                    converges, 0 to 99; default 0
 *   timeout=S        seconds for the whole migration; 0, the default, is none
 */
#ifndef URI_H
#define URI_H

#include <stdbool.h>
#include <stdint.h>

#include "fault.h"

#define URI_PORT 7471
#define URI_SLOWDOWN_MOST 99	/* percent */

struct uri_options {
	unsigned int downtime_ms;
	uint64_t bandwidth;
	unsigned int rounds;
	unsigned int timeout_s;
	unsigned int max_slowdown;	/* percent */
	bool force;
	bool paused;
	bool send_zeros;
};

struct uri {
	char host[256];
	uint16_t port;
	char name[256];		/* empty: not given */
	struct uri_options options;
};

void uri_options_init(struct uri_options *options);
/* One option, as in the URI or as a flag of the command. @value may be NULL. */
int uri_option(struct uri_options *options, const char *key, const char *value,
	       struct fault *fault);
/* Whether it may still be changed while guest RAM is sent. */
bool uri_option_is_live(const char *key);
/* Whether it begins with our scheme. */
bool uri_is_ours(const char *text);
int uri_parse(const char *text, struct uri *uri, struct fault *fault);
/* Its parts, which addresses elsewhere have as well: *at comes to stand behind what was read. */
int uri_parse_host(const char **at, struct uri *uri, struct fault *fault);
/* Without a colon there is none, and uri->port stays as it is. */
int uri_parse_port(const char **at, struct uri *uri, struct fault *fault);

#endif

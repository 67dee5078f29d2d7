// SPDX-License-Identifier: GPL-2.0
/* Answers on UDP port 7000, one line for one line. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/socket.h>

#include "guest.h"

static int print_status(char *to, size_t size)
{
	return snprintf(to, size,
			"{\"ready\":%s,\"uptime_ms\":%llu,\"ticks\":%llu,\"longest_jump_us\":%llu,"
			"\"writes\":%llu,\"pages_checked\":%llu,\"passes\":%llu,\"errors\":%llu,"
			"\"disk_reads\":%llu,\"disk_errors\":%llu,\"dirty_bytes_per_s\":%llu,"
			"\"pages\":%zu}\n",
			counters.ready ? "true" : "false", (unsigned long long)now_us() / 1000,
			counters.ticks, counters.longest_jump_us, counters.writes,
			counters.pages_checked, counters.passes, counters.errors,
			counters.disk_reads, counters.disk_errors, settings.dirty_bytes_per_s,
			pages_count(AREA_WS) + pages_count(AREA_COLD));
}

/* Echoes carry the sequence number back, the guest's clock and its verdict. */
static int print_echo(char *to, size_t size, const char *seq)
{
	return snprintf(to, size, "echo %s %llu %llu\n", seq, (unsigned long long)now_us(),
			counters.errors + counters.disk_errors);
}

static int obey(char *request, char *to, size_t size)
{
	char *arg = strchr(request, ' ');

	if (arg)
		*arg++ = 0;
	if (!strcmp(request, "echo"))
		return print_echo(to, size, arg ? arg : "");
	if (!strcmp(request, "status"))
		return print_status(to, size);
	if (!strcmp(request, "poweroff"))
		reboot(RB_POWER_OFF);
	if (!strcmp(request, "reset"))
		ticker_reset();
	else if (!strcmp(request, "dirty") && arg)
		settings.dirty_bytes_per_s = parse_bytes(arg);
	else if (!strcmp(request, "check") && arg)
		settings.check_bytes_per_s = parse_bytes(arg);
	else
		return snprintf(to, size, "{\"error\":\"echo, status, reset, dirty BYTES, check BYTES, poweroff\"}\n");
	return print_status(to, size);
}

void responder_run(void)
{
	struct sockaddr_in me = { .sin_family = AF_INET, .sin_port = htons(GUEST_PORT) }, peer;
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char request[256], reply[1024];
	socklen_t len;
	ssize_t n;

	if (bind(sock, (void *)&me, sizeof(me))) {
		say("cannot listen");
		return;
	}
	for (;;) {
		len = sizeof(peer);
		n = recvfrom(sock, request, sizeof(request) - 1, 0, (void *)&peer, &len);
		if (n <= 0)
			continue;
		request[n] = 0;
		request[strcspn(request, "\r\n")] = 0;
		n = obey(request, reply, sizeof(reply));
		sendto(sock, reply, n, 0, (void *)&peer, len);
	}
}

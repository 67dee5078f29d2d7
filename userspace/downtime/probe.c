// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../clock.h"
#include "probe.h"

#define PORT		"7000"
#define PRIORITY	50
#define GRACE_NS	300000000ULL
#define NAP_NS		50000000ULL	/* until it looks whether it is to stop */
#define ROOM_S		86400
#define ROOM_MAX	(1UL << 27)	/* 6 GiB of addresses */

static int set_port(struct probe_target *to, const char *port, struct fault *fault)
{
	size_t digits = strspn(port, "0123456789");

	if (!digits || port[digits] || digits > 5 || atoi(port) < 1 || atoi(port) > 65535)
		return fail(fault, "%.200s: a port is a number from 1 to 65535", port);
	snprintf(to->port, sizeof(to->port), "%s", port);
	return 0;
}

/* HOST, HOST:PORT, [IPV6], [IPV6]:PORT or, by its several colons, IPV6. */
static int split(const char *target, struct probe_target *to, bool *numeric, struct fault *fault)
{
	const char *colon = strrchr(target, ':'), *host = target, *port = PORT;
	size_t bytes = strlen(target);

	*numeric = *target == '[' || (colon && strchr(target, ':') != colon);
	if (*target == '[') {
		host++;
		bytes = strcspn(host, "]");
		if (!host[bytes] || (host[bytes + 1] && host + bytes + 1 != colon))
			return fail(fault, "%.200s: [IPV6] or [IPV6]:PORT is wanted", target);
		port = host[bytes + 1] ? colon + 1 : PORT;
	} else if (colon && !*numeric) {
		bytes = colon - target;
		port = colon + 1;
	}
	if (!bytes || bytes >= sizeof(to->host))
		return fail(fault, "\"%.200s\": HOST[:PORT] or [IPV6]:PORT is wanted", target);
	snprintf(to->host, sizeof(to->host), "%.*s", (int)bytes, host);
	return set_port(to, port, fault);
}

int probe_resolve(const char *target, int socktype, struct probe_target *to, struct fault *fault)
{
	struct addrinfo hints = { .ai_socktype = socktype }, *found, *at;
	bool numeric;
	int err;

	memset(to, 0, sizeof(*to));
	if (split(target, to, &numeric, fault))
		return -1;
	hints.ai_flags = numeric ? AI_NUMERICHOST : 0;
	err = getaddrinfo(to->host, to->port, &hints, &found);
	if (err)
		return fail(fault, "cannot resolve %s: %s", to->host,
			    err == EAI_SYSTEM ? strerror(errno) : gai_strerror(err));
	for (at = found; at && to->count < PROBE_ADDRESSES; at = at->ai_next) {
		memcpy(&to->at[to->count].addr, at->ai_addr, at->ai_addrlen);
		to->at[to->count++].bytes = at->ai_addrlen;
	}
	freeaddrinfo(found);
	return 0;
}

int probe_socket(const struct probe_target *target, unsigned int which, int socktype)
{
	const struct sockaddr *addr = (const void *)&target->at[which].addr;
	int err, fd = socket(addr->sa_family, socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || !connect(fd, addr, target->at[which].bytes) || errno == EINPROGRESS)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

int probe_unanswered(const struct probe_target *target, int socktype, const char *why,
		     struct fault *fault)
{
	return fail(fault, "no answer from %s, %s port %s: %s; start it in the guest: vmfastmig-responder --port %s; a firewall must let it pass",
		    target->host, socktype == SOCK_DGRAM ? "UDP" : "TCP", target->port, why,
		    target->port);
}

/* echo SEQ CLOCK_US ERRORS [WORK [...]] */
bool probe_parse(const char *line, size_t bytes, uint64_t *seq, struct sample *reply)
{
	uint64_t numbers[4] = { 0 };
	unsigned int count = 0;
	char *end;

	if (strlen(line) != bytes || strncmp(line, "echo ", 5))
		return false;
	line += 4;
	while (count < 4 && *line == ' ' && isdigit((unsigned char)line[1])) {
		errno = 0;
		numbers[count++] = strtoull(line + 1, &end, 10);
		if (errno)
			return false;
		line = end;
	}
	*seq = numbers[0];
	*reply = (struct sample){ .guest_us = numbers[1], .errors = numbers[2],
				  .work = numbers[3] };
	return count >= 3 && (!*line || (count == 4 && *line == ' '));
}

bool probe_take(struct probe *probe, const char *line, size_t bytes, uint64_t arrived_ns)
{
	enum series_reply taken = SERIES_UNKNOWN;
	struct sample reply;
	uint64_t seq;

	if (probe_parse(line, bytes, &seq, &reply)) {
		reply.reply_ns = arrived_ns;
		taken = series_take(&probe->series, seq, &reply);
	}
	probe->garbage += taken == SERIES_UNKNOWN;
	probe->duplicates += taken == SERIES_AGAIN;
	return taken == SERIES_FIRST;
}

/*
 * As punctual as we can be; fine without. What is locked, the series among it, is so
 * page by page when it is touched first: there is far more of it than will be used.
 */
static void be_punctual(void)
{
	struct sched_param param = { .sched_priority = PRIORITY };

	prctl(PR_SET_TIMERSLACK, 1);
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
	mlockall(MCL_CURRENT | MCL_ONFAULT);
}

static void wait_until(struct probe *probe, uint64_t until_ns)
{
	struct pollfd polled = { .fd = probe->fd, .events = probe->events };
	uint64_t now_ns = clock_ns(), wait_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	struct timespec wait = { 0, wait_ns < NAP_NS ? wait_ns : NAP_NS };

	if (ppoll(&polled, 1, &wait, NULL) > 0)
		probe->way->serve(probe, polled.revents);
}

/* Asks, if it is time to; returns when it is next. */
static uint64_t ask_when_due(struct probe *probe, uint64_t due_ns)
{
	uint64_t now_ns = clock_ns(), late_ns;
	ssize_t seq;

	if (now_ns < due_ns)
		return due_ns;
	late_ns = now_ns - due_ns;
	if (late_ns > probe->series.own_gap_ns)
		probe->series.own_gap_ns = late_ns;
	seq = series_add(&probe->series, now_ns);
	if (seq >= 0) {
		probe->way->ask(probe, seq);
	} else {
		fail(&probe->fault, "the probe ended: there is no room for more than %zu samples; ask for a lower rate",
		     probe->series.room);
		atomic_store(&probe->failed, true);
	}
	return due_ns + (late_ns / probe->period_ns + 1) * probe->period_ns;
}

/* At least one look, also where we ourselves come late. */
static void await_replies(struct probe *probe)
{
	uint64_t now_ns = clock_ns(), until_ns = now_ns + GRACE_NS;

	do {
		wait_until(probe, until_ns);
		now_ns = clock_ns();
	} while (probe->series.arrivals < probe->series.count && now_ns < until_ns);
}

static void *run(void *arg)
{
	struct probe *probe = arg;
	uint64_t due_ns;

	be_punctual();
	due_ns = clock_ns();
	while (!atomic_load(&probe->stop) && !atomic_load(&probe->failed)) {
		due_ns = ask_when_due(probe, due_ns);
		wait_until(probe, due_ns);
	}
	await_replies(probe);
	return NULL;
}

static int set_cpu(pthread_attr_t *attr, int cpu, struct fault *fault)
{
	cpu_set_t cpus;

	if (cpu < 0)
		return 0;
	CPU_ZERO(&cpus);
	if (cpu < CPU_SETSIZE)
		CPU_SET(cpu, &cpus);
	return cpu < CPU_SETSIZE && !pthread_attr_setaffinity_np(attr, sizeof(cpus), &cpus) ? 0 :
	       fail(fault, "CPU %d: no such CPU", cpu);
}

/* A signal is for the thread that waits for it. */
static int start_thread(struct probe *probe, int cpu, struct fault *fault)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	if (set_cpu(&attr, cpu, fault)) {
		pthread_attr_destroy(&attr);
		return -1;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	err = pthread_create(&probe->thread, &attr, run, probe);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	probe->running = !err;
	if (err && cpu >= 0)
		return fail(fault, "cannot start a probe on CPU %d: %s", cpu, strerror(err));
	return err ? fail(fault, "cannot start a probe: %s", strerror(err)) : 0;
}

int probe_start(struct probe *probe, enum probe_kind kind, const struct probe_options *options,
		struct fault *fault)
{
	size_t room = options->room ?: (size_t)options->hz * ROOM_S;

	memset(probe, 0, sizeof(*probe));
	probe->way = kind == PROBE_UDP ? &probe_udp : &probe_tcp;
	probe->fd = -1;
	if (!options->hz || options->hz > PROBE_HZ_MAX)
		return fail(fault, "a probe asks 1 to %d times a second", PROBE_HZ_MAX);
	probe->period_ns = 1000000000 / options->hz;
	if (probe_resolve(options->target, probe->way->socktype, &probe->target, fault) ||
	    series_open(&probe->series, room < ROOM_MAX ? room : ROOM_MAX, fault))
		return -1;
	if (!probe->way->open(probe, fault) && !start_thread(probe, options->cpu, fault))
		return 0;
	probe_close(probe);
	return -1;
}

void probe_stop(struct probe *probe)
{
	if (probe->running) {
		atomic_store(&probe->stop, true);
		pthread_join(probe->thread, NULL);
		probe->running = false;
	}
	if (probe->way && probe->fd >= 0)
		probe->way->close(probe);
}

void probe_close(struct probe *probe)
{
	probe_stop(probe);
	series_close(&probe->series);
}

struct series *probe_series(struct probe *probe)
{
	return &probe->series;
}

bool probe_failed(const struct probe *probe, struct fault *fault)
{
	bool failed = atomic_load(&probe->failed);

	if (failed)
		*fault = probe->fault;
	return failed;
}

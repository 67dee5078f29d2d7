// SPDX-License-Identifier: GPL-2.0
/*
 * Watches a guest from outside: sends it echoes at a steady rate and prints, at
 * the end or on SIGINT or SIGTERM, one JSON object about what came back.
 *
 * client [-r HZ] [-t SECONDS] [-g GAP_MS] ADDRESS[:PORT]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GAPS_MAX	256
#define WINDOW		65536	/* echoes that may be under way */
#define LATENCY_STEP_US	10
#define LATENCY_STEPS	200000	/* up to 2 s */
#define GRACE_MS	300
#define BUCKET_MS	250

struct gap {
	double start_ms, ms;
};

static struct {
	unsigned int hz, gap_ms;
	double seconds;
	struct sockaddr_in guest;
} opt = { .hz = 1000, .gap_ms = 20, .seconds = 1e9 };

static struct {
	unsigned long long sent, received;
	unsigned long long guest_errors;
	double start_ms, last_reply_ms, last_loop_ms;
	double longest_gap_ms, own_gap_ms;
	double clock_stop_ms;
	struct gap gaps[GAPS_MAX];
	unsigned int gap_count;
	double sent_ms[WINDOW];
	bool answered[WINDOW];
	unsigned int latency[LATENCY_STEPS];
} seen;

/*
 * How far our clock is ahead of the guest's, from the quickest reply of each
 * bucket of time. A guest's clock stands still while the guest does, so that it
 * cannot see its own downtime; here it shows as a step.
 */
static struct {
	double bucket, ahead_ms;	/* of the bucket that is open */
	double before_ms;		/* of the one before */
	bool any, any_before;
} clocks;

static volatile sig_atomic_t stopped;

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

static double wall_s(double monotonic_ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9 - (now_ms() - monotonic_ms) / 1e3;
}

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static void note_gap(double from, double to)
{
	double ms = to - from;

	if (ms > seen.longest_gap_ms)
		seen.longest_gap_ms = ms;
	if (ms >= opt.gap_ms && seen.gap_count < GAPS_MAX)
		seen.gaps[seen.gap_count++] = (struct gap){ from, ms };
}

static void note_latency(double ms)
{
	unsigned int step = ms * 1000 / LATENCY_STEP_US;

	seen.latency[step < LATENCY_STEPS ? step : LATENCY_STEPS - 1]++;
}

static void close_bucket(void)
{
	if (clocks.any_before && clocks.ahead_ms - clocks.before_ms > seen.clock_stop_ms)
		seen.clock_stop_ms = clocks.ahead_ms - clocks.before_ms;
	clocks.before_ms = clocks.ahead_ms;
	clocks.any_before = clocks.any;
}

static void compare_clocks(double now, double guest_ms)
{
	double bucket = (long long)(now / BUCKET_MS);

	if (clocks.any && bucket > clocks.bucket)
		close_bucket();
	if (!clocks.any || bucket > clocks.bucket || now - guest_ms < clocks.ahead_ms)
		clocks.ahead_ms = now - guest_ms;
	clocks.bucket = bucket;
	clocks.any = true;
}

static void take_reply(const char *line, double now)
{
	unsigned long long seq, errors, guest_us;

	if (sscanf(line, "echo %llu %llu %llu", &seq, &guest_us, &errors) != 3)
		return;
	if (seq >= seen.sent || seen.sent - seq > WINDOW || seen.answered[seq % WINDOW])
		return;
	seen.answered[seq % WINDOW] = true;
	seen.guest_errors = errors;
	note_latency(now - seen.sent_ms[seq % WINDOW]);
	compare_clocks(now, guest_us / 1e3);
	if (seen.received++)
		note_gap(seen.last_reply_ms, now);
	seen.last_reply_ms = now;
}

static void receive(int sock)
{
	char line[256];
	ssize_t n;

	while ((n = recv(sock, line, sizeof(line) - 1, MSG_DONTWAIT)) > 0) {
		line[n] = 0;
		take_reply(line, now_ms());
	}
}

static void send_echo(int sock, double now)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "echo %llu", seen.sent);

	seen.sent_ms[seen.sent % WINDOW] = now;
	seen.answered[seen.sent % WINDOW] = false;
	seen.sent++;
	send(sock, line, n, MSG_DONTWAIT);	/* what cannot be sent counts as lost */
}

/* The client's own pauses would look like the guest's. */
static void note_own_gap(double now, double slept_ms)
{
	double gap = now - seen.last_loop_ms - slept_ms;

	if (gap > seen.own_gap_ms)
		seen.own_gap_ms = gap;
	seen.last_loop_ms = now;
}

static void wait_ms(int sock, double ms)
{
	struct pollfd pfd = { sock, POLLIN, 0 };
	struct timespec ts = { 0, ms > 0 ? ms * 1e6 : 0 };

	if (ppoll(&pfd, 1, &ts, NULL) > 0)
		receive(sock);
}

static void watch(int sock)
{
	double period = 1000.0 / opt.hz, next, now = now_ms(), end;

	seen.start_ms = seen.last_loop_ms = next = now;
	end = now + opt.seconds * 1000;
	while (!stopped && now < end) {
		if (now >= next) {
			send_echo(sock, now);
			next += period;
			if (now - next > 100)
				next = now;	/* we stood still: do not flood */
		}
		wait_ms(sock, next - now_ms());
		now = now_ms();
		note_own_gap(now, period);
	}
	end = now_ms() + GRACE_MS;
	while (seen.received < seen.sent && now_ms() < end)
		wait_ms(sock, 10);
}

static double percentile_ms(double share)
{
	unsigned long long wanted = seen.received * share, sum = 0;
	unsigned int i;

	for (i = 0; i < LATENCY_STEPS - 1; i++) {
		sum += seen.latency[i];
		if (sum > wanted)
			break;
	}
	return (i + 0.5) * LATENCY_STEP_US / 1000;
}

static void print_gaps(void)
{
	unsigned int i;

	printf("\"gap_threshold_ms\":%u,\"gaps\":[", opt.gap_ms);
	for (i = 0; i < seen.gap_count; i++)
		printf("%s{\"start_ms\":%.1f,\"wall_s\":%.4f,\"ms\":%.2f}", i ? "," : "",
		       seen.gaps[i].start_ms - seen.start_ms, wall_s(seen.gaps[i].start_ms),
		       seen.gaps[i].ms);
	printf("]");
}

static void print_report(void)
{
	double silence = seen.received ? seen.last_loop_ms - seen.last_reply_ms : 0;

	printf("{\"sent\":%llu,\"received\":%llu,\"lost\":%llu,", seen.sent, seen.received,
	       seen.sent - seen.received);
	printf("\"longest_gap_ms\":%.2f,\"silence_at_end_ms\":%.2f,\"own_gap_ms\":%.2f,",
	       seen.longest_gap_ms, silence > 0 ? silence : 0, seen.own_gap_ms);
	close_bucket();
	printf("\"guest_clock_stop_ms\":%.2f,", seen.clock_stop_ms);
	printf("\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"guest_errors\":%llu,",
	       percentile_ms(0.5), percentile_ms(0.99), seen.guest_errors);
	print_gaps();
	printf("}\n");
	if (seen.own_gap_ms > opt.gap_ms)
		fprintf(stderr, "client: did not run for %.1f ms itself: gaps of that size mean nothing\n",
			seen.own_gap_ms);
	if (percentile_ms(0.5) > 100)
		fprintf(stderr, "client: the guest cannot answer %u/s: ask for less with -r\n",
			opt.hz);
}

static int parse_address(char *text)
{
	char *colon = strchr(text, ':');

	if (colon)
		*colon = 0;
	opt.guest.sin_family = AF_INET;
	opt.guest.sin_port = htons(colon ? atoi(colon + 1) : 7000);
	return inet_pton(AF_INET, text, &opt.guest.sin_addr) == 1 ? 0 : -1;
}

static int parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "r:t:g:")) != -1) {
		if (c == 'r')
			opt.hz = atoi(optarg);
		else if (c == 't')
			opt.seconds = atof(optarg);
		else if (c == 'g')
			opt.gap_ms = atoi(optarg);
		else
			return -1;
	}
	return opt.hz && optind == argc - 1 ? parse_address(argv[optind]) : -1;
}

/* As punctual as we can be; fine without. */
static void be_punctual(void)
{
	struct sched_param param = { .sched_priority = 50 };

	sched_setscheduler(0, SCHED_FIFO, &param);
	mlockall(MCL_CURRENT);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	int sock;

	if (parse_options(argc, argv)) {
		fprintf(stderr, "usage: client [-r HZ] [-t SECONDS] [-g GAP_MS] ADDRESS[:PORT]\n");
		return 64;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	if (sock < 0 || connect(sock, (void *)&opt.guest, sizeof(opt.guest))) {
		perror("client");
		return 1;
	}
	be_punctual();
	watch(sock);
	print_report();
	return seen.received ? 0 : 1;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Plays Quake 3 on a server like Debian's openarena-server and prints at the end, or on SIGINT or
 * SIGTERM, one JSON object about the snapshots of the game that came: what players see of it when
 * the server stands still. They run, turn, jump and shoot, each with a socket of its own.
 *
 * q3client -s PROGRAM [-n PLAYERS] [-t SECONDS] [-m MOVES_PER_S] [-g GAP_MS] ADDRESS[:PORT]
 */
#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bits.h"
#include "player.h"

struct options opt = { .players = 1, .seconds = 86400, .moves_per_s = 40, .gap_ms = 100 };
struct player players[PLAYERS_MAX];
uint64_t own_gap_ns;
static volatile sig_atomic_t stopped;

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * MS + ts.tv_nsec;
}

static void wait_until(uint64_t until)
{
	uint64_t now = now_ns(), ns = until > now ? until - now : 0;
	struct timespec ts = { ns / (1000 * MS), ns % (1000 * MS) };
	struct pollfd fds[PLAYERS_MAX];
	unsigned int i;

	for (i = 0; i < opt.players; i++)
		fds[i] = (struct pollfd){ players[i].sock, POLLIN, 0 };
	if (ppoll(fds, opt.players, &ts, NULL) <= 0)
		return;
	for (i = 0; i < opt.players; i++)
		if (fds[i].revents)
			hear(&players[i]);
}

/* Pauses of our own would look like the server's. */
static void play(void)
{
	uint64_t period = 1000 * MS / opt.moves_per_s, now = now_ns(), next = now, last = now;
	uint64_t end = now + opt.seconds * 1000 * MS;
	unsigned int i;

	for (; !stopped && now < end; last = now, now = now_ns()) {
		if (now - last > period + own_gap_ns)
			own_gap_ns = now - last - period;
		if (now >= next) {
			for (i = 0; i < opt.players; i++)
				player_act(&players[i], now);
			next = now - next > 100 * MS ? now + period : next + period;
		}
		wait_until(next);
	}
}

static bool parse_number(const char *text, unsigned long most, unsigned int *to)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*to = value;
	return *text >= '0' && *text <= '9' && !*end && value >= 1 && value <= most;
}

static bool parse_address(char *text)
{
	char *colon = strchr(text, ':');
	unsigned int port = 27960;

	if (colon)
		*colon++ = 0;
	if (colon && !parse_number(colon, 65535, &port))
		return false;
	opt.server.sin_family = AF_INET;
	opt.server.sin_port = htons(port);
	return inet_pton(AF_INET, text, &opt.server.sin_addr) == 1;
}

static bool parse_options(int argc, char **argv)
{
	bool right = true;
	int c;

	while (right && (c = getopt(argc, argv, "s:n:t:m:g:")) != -1) {
		switch (c) {
		case 's': opt.program = optarg; break;
		case 'n': right = parse_number(optarg, PLAYERS_MAX, &opt.players); break;
		case 't': right = parse_number(optarg, 86400, &opt.seconds); break;
		case 'm': right = parse_number(optarg, 250, &opt.moves_per_s); break;
		case 'g': right = parse_number(optarg, 60000, &opt.gap_ms); break;
		default: right = false;
		}
	}
	return right && opt.program && optind == argc - 1 && parse_address(argv[optind]);
}

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static bool open_players(void)
{
	unsigned int i;

	for (i = 0; i < opt.players; i++) {
		struct player *p = &players[i];

		p->number = i + 1;
		p->port = getpid() * PLAYERS_MAX + i;
		p->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (p->sock < 0 ||
		    connect(p->sock, (void *)&opt.server, sizeof(opt.server)))
			return false;
		player_enter(p, ASKING, now_ns());
	}
	return true;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	struct sched_param punctual = { .sched_priority = 50 };
	uint64_t now;
	unsigned int i;

	if (!parse_options(argc, argv)) {
		fprintf(stderr, "usage: q3client -s PROGRAM [-n PLAYERS] [-t SECONDS] "
			"[-m MOVES_PER_S] [-g GAP_MS] ADDRESS[:PORT]\n");
		return 64;
	}
	if (!book_grow(opt.program)) {
		fprintf(stderr, "q3client: cannot read the counts of bytes in %s: name the "
			"server's ioq3ded\n", opt.program);
		return 1;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (!open_players()) {
		perror("q3client");
		return 1;
	}
	sched_setscheduler(0, SCHED_FIFO, &punctual);	/* fine without */
	play();
	now = now_ns();
	for (i = 0; i < opt.players; i++)
		player_finish(&players[i], now);
	return report_print(now) ? 0 : 1;
}

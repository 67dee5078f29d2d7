/* SPDX-License-Identifier: GPL-2.0 */
/* Someone who plays, and all that is known of the way to the server. */
#ifndef PLAYER_H
#define PLAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>

#define PLAYERS_MAX	8
#define MS		1000000ULL	/* in ns */
#define RETRY_NS	(1000 * MS)
#define SILENCE_NS	(3000 * MS)	/* then it is asked whether it has forgotten us */
#define MESSAGE_BYTES	16384
#define TEXT_BYTES	1024

enum state { ASKING, CONNECTING, LOADING, PLAYING };

struct player {
	int number, sock;
	uint16_t port;			/* by which the server knows us, beside the address */
	enum state state;
	uint64_t since_ns, sent_ns, answered_ns;
	uint32_t challenge, server_id, feed, outgoing, incoming;
	uint32_t command;		/* the last one the server gave us */
	char command_text[TEXT_BYTES];
	uint32_t fragments_of;
	size_t fragments_bytes;
	unsigned char fragments[MESSAGE_BYTES];
	uint32_t server_ms;
	uint64_t server_ns, steer_ns;	/* when it was that; when to steer anew */
	int yaw, turn, sideways, jump, fire;
	uint64_t snapshots, lost, reconnects, first_ns, last_ns, longest_ns;
};

struct options {
	const char *program;
	unsigned int players, seconds, moves_per_s, gap_ms;
	struct sockaddr_in server;
};

extern struct options opt;
extern struct player players[PLAYERS_MAX];
extern uint64_t own_gap_ns;

uint64_t now_ns(void);

/* player.c: acts once every move; finish leaves the game */
void player_enter(struct player *p, enum state state, uint64_t now);
void player_ask_again(struct player *p, uint64_t now);
void player_act(struct player *p, uint64_t now);
void player_finish(struct player *p, uint64_t now);

/* say.c */
void scramble(unsigned char *data, size_t from, size_t bytes, uint32_t key, const char *text);
void say_text(const struct player *p, const char *text);
void say_connect(const struct player *p);
void say_message(struct player *p, uint64_t now, const char *command);

/* hear.c: takes all that has come */
void hear(struct player *p);

/* report.c */
void report_gap(struct player *p, uint64_t from, uint64_t to);
bool report_print(uint64_t now);

#endif

// SPDX-License-Identifier: GPL-2.0
/* What comes from the server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bits.h"
#include "player.h"

#define FRAGMENT_BYTES	1300
#define SKIPPED_MAX	65536		/* messages that may be lost in a row */

/* A message is a list of these. */
enum { FROM_NOP = 1, FROM_GAMESTATE, FROM_CONFIG, FROM_BASELINE, FROM_COMMAND,
       FROM_SNAPSHOT = 7, FROM_END };

static void take_snapshot(struct player *p, struct bits *b, uint64_t now)
{
	uint32_t server_ms = bits_get(b, 32);
	unsigned int not_in_game = 2, flags;

	bits_get(b, 8);
	flags = bits_get(b, 8);
	if (b->over || p->state < LOADING)
		return;
	p->server_ms = server_ms;
	p->server_ns = now;
	if (flags & not_in_game)
		return;
	if (p->state != PLAYING)
		player_enter(p, PLAYING, now);
	p->answered_ns = 0;
	if (p->snapshots++)
		report_gap(p, p->last_ns, now);
	else
		p->first_ns = now;
	p->last_ns = now;
}

static void take_server_id(struct player *p, const char *settings)
{
	const char *id = strstr(settings, "\\sv_serverid\\");

	if (id)
		p->server_id = strtoul(id + 13, NULL, 10);
}

static void take_command(struct player *p, struct bits *b, uint64_t now)
{
	uint32_t number = bits_get(b, 32);
	char text[TEXT_BYTES];

	bits_get_text(b, text, sizeof(text));
	if (b->over || (int32_t)(number - p->command) <= 0)
		return;
	p->command = number;
	memcpy(p->command_text, text, sizeof(text));
	if (!strncmp(text, "cs 1 ", 5))
		take_server_id(p, text);
	if (!strncmp(text, "disconnect", 10))
		player_ask_again(p, now);
}

/* An entity as it is at first: passed over, to get at what comes behind. */
static void pass_entity(struct bits *b)
{
	static const unsigned char width[] = {	/* of its fields; 0 is a fraction */
		32, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 8, 8, 8, 8, 10, 8, 19, 10, 8, 8, 0, 32, 8, 0, 0,
		0, 24, 16, 8, 10, 8, 8, 0, 0, 0, 8, 0, 32, 32, 32, 0, 0, 0, 0, 32, 0, 0, 0, 32, 16,
	};
	unsigned int i, n;

	bits_get(b, 10);
	if (bits_get(b, 1) || !bits_get(b, 1))
		return;
	n = bits_get(b, 8);
	b->over |= n > sizeof(width);
	for (i = 0; i < n && !b->over; i++)
		if (bits_get(b, 1) && bits_get(b, 1))
			bits_get(b, width[i] ? width[i] : bits_get(b, 1) ? 32 : 13);
}

static void take_gamestate(struct player *p, struct bits *b)
{
	static char text[MESSAGE_BYTES];
	unsigned int kind, settings = 1;

	p->command = bits_get(b, 32);
	while ((kind = bits_get(b, 8)) != FROM_END && !b->over) {
		if (kind == FROM_BASELINE) {
			pass_entity(b);
		} else if (kind == FROM_CONFIG) {
			kind = bits_get(b, 16);
			bits_get_text(b, text, sizeof(text));
			if (kind == settings)
				take_server_id(p, text);
		} else {
			b->over = true;
		}
	}
	bits_get(b, 32);
	p->feed = bits_get(b, 32);
	if (b->over)
		fprintf(stderr, "q3client: the server's state of the game cannot be read\n");
}

static void take_message(struct player *p, unsigned char *data, size_t bytes, uint64_t now)
{
	struct bits b = { data, 0, bytes * 8, false };
	unsigned int kind;

	scramble(data, 4, bytes, p->challenge ^ p->incoming, "");
	bits_get(&b, 32);
	while ((kind = bits_get(&b, 8)) != FROM_END && !b.over) {
		if (kind == FROM_COMMAND)
			take_command(p, &b, now);
		else if (kind == FROM_GAMESTATE)
			take_gamestate(p, &b);
		else if (kind == FROM_SNAPSHOT)
			take_snapshot(p, &b, now);
		if (kind != FROM_COMMAND && kind != FROM_GAMESTATE && kind != FROM_NOP)
			return;		/* what follows a snapshot's head is not for us */
	}
}

static uint32_t little(const unsigned char *at, unsigned int bytes)
{
	return bytes ? *at | little(at + 1, bytes - 1) << 8 : 0;
}

/* True: the message is whole now. */
static bool take_fragment(struct player *p, uint32_t sequence, const unsigned char *data,
			  size_t bytes)
{
	size_t from, n;

	if (bytes < 4)
		return false;
	from = little(data, 2);
	n = little(data + 2, 2);
	if (sequence != p->fragments_of)
		p->fragments_bytes = 0;
	p->fragments_of = sequence;
	if (from != p->fragments_bytes || n > bytes - 4 || from + n > sizeof(p->fragments))
		return false;
	memcpy(p->fragments + from, data + 4, n);
	p->fragments_bytes += n;
	return n < FRAGMENT_BYTES;
}

static void take_sequenced(struct player *p, unsigned char *data, size_t bytes, uint64_t now)
{
	uint32_t head = little(data, 4), sequence = head & ~(1U << 31);

	if (p->state < LOADING || sequence - p->incoming - 1 >= SKIPPED_MAX)
		return;		/* old, or nonsense */
	data += 4;
	bytes -= 4;
	if (head != sequence) {
		if (!take_fragment(p, sequence, data, bytes))
			return;
		data = p->fragments;
		bytes = p->fragments_bytes;
		p->fragments_of = 0;
	}
	p->lost += sequence - p->incoming - 1;
	p->incoming = sequence;
	take_message(p, data, bytes, now);
}

static void take_challenge(struct player *p, const char *number, uint64_t now)
{
	if (p->state == PLAYING) {
		if (!p->answered_ns)
			p->answered_ns = now;
	} else if (p->state == ASKING) {
		p->challenge = strtol(number, NULL, 10);
		player_enter(p, CONNECTING, now);
	}
}

static void take_welcome(struct player *p, uint64_t now)
{
	if (p->state != CONNECTING)
		return;
	p->outgoing = p->incoming = p->command = p->server_id = p->fragments_of = 0;
	p->command_text[0] = 0;
	player_enter(p, LOADING, now);
}

static void take_text(struct player *p, char *text, uint64_t now)
{
	if (!strncmp(text, "challengeResponse ", 18))
		take_challenge(p, text + 18, now);
	else if (!strncmp(text, "connectResponse", 15))
		take_welcome(p, now);
	else if (!strncmp(text, "print\n", 6) && p->state != PLAYING)
		fprintf(stderr, "q3client: the server says: %s\n", text + 6);
}

void hear(struct player *p)
{
	unsigned char packet[4096];
	ssize_t n;

	while ((n = recv(p->sock, packet, sizeof(packet) - 1, MSG_DONTWAIT)) > 0) {
		packet[n] = 0;
		if (n > 4 && little(packet, 4) == UINT32_MAX)
			take_text(p, (char *)packet + 4, now_ns());
		else if (n > 4)
			take_sequenced(p, packet, n, now_ns());
	}
}

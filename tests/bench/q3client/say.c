// SPDX-License-Identifier: GPL-2.0
/* What goes to the server. */
#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "bits.h"
#include "player.h"

#define PROTOCOL	"71"		/* OpenArena's: messages of the old kind */

/* A message is a list of these. */
enum { TO_MOVE = 2, TO_COMMAND = 4, TO_END };

/* XORs all but the head of a message with what both sides know by then. */
void scramble(unsigned char *data, size_t from, size_t bytes, uint32_t key, const char *text)
{
	size_t at = 0;

	for (; from < bytes; from++) {
		if (!text[at])
			at = 0;
		key ^= (unsigned char)text[at] << (from & 1);
		data[from] ^= key;
		if (text[at])
			at++;
	}
}

void say_text(const struct player *p, const char *text)
{
	char packet[TEXT_BYTES];
	int n = snprintf(packet, sizeof(packet), "\xff\xff\xff\xff%s", text);

	send(p->sock, packet, n, MSG_DONTWAIT);
}

/* The tree of this one grows with what it codes. Codes of new bytes may be longer than these. */
void say_connect(const struct player *p)
{
	static struct tree t;
	unsigned char packet[TEXT_BYTES * 4] = "\xff\xff\xff\xff" "connect ";
	struct bits b = { packet + 12, 16, (sizeof(packet) - 12) * 8, false };
	char text[TEXT_BYTES];
	int i, k, n;

	n = snprintf(text, sizeof(text), "\"\\protocol\\" PROTOCOL "\\qport\\%d\\challenge\\%d"
		     "\\name\\player%d\\cl_guid\\%032X\\rate\\25000\\snaps\\40\\model\\sarge\"",
		     p->port, (int)p->challenge, p->number, p->port);
	packet[12] = n >> 8;
	packet[13] = n;
	tree_plant(&t);
	for (i = 0; i < n; i++) {
		unsigned char c = text[i];

		bits_put_code(&b, &t, t.leaf[c] == NONE ? t.leaf[ESCAPE] : t.leaf[c]);
		for (k = 7; t.leaf[c] == NONE && k >= 0; k--)
			bits_put_one(&b, c >> k);
		tree_see(&t, c);
	}
	send(p->sock, packet, 12 + b.bit / 8 + 1, MSG_DONTWAIT);
}

static void put_value(struct bits *b, uint32_t key, int value, unsigned int n)
{
	bits_put(b, value != 0, 1);
	if (value)
		bits_put(b, value ^ key, n);
}

static uint32_t text_hash(const char *text)
{
	uint32_t i, hash = 0;

	for (i = 0; i < 32 && text[i]; i++)
		hash += text[i] * (119 + i);
	return hash ^ hash >> 10 ^ hash >> 20;
}

/* A move is told by how it differs from none at all. */
static void put_move(struct bits *b, const struct player *p, uint64_t now)
{
	uint64_t since = now - p->server_ns, most = 200 * MS;
	uint32_t time_ms = p->server_ms + (since < most ? since : most) / MS;
	uint32_t key = p->feed ^ p->incoming ^ text_hash(p->command_text) ^ time_ms;

	bits_put(b, TO_MOVE, 8);
	bits_put(b, 1, 8);
	bits_put(b, 0, 1);
	bits_put(b, time_ms, 32);
	bits_put(b, 1, 1);
	put_value(b, key, 0, 16);		/* pitch */
	put_value(b, key, p->yaw, 16);
	put_value(b, key, 0, 16);		/* roll */
	put_value(b, key, 127, 8);		/* forward */
	put_value(b, key, p->sideways, 8);
	put_value(b, key, p->jump, 8);
	put_value(b, key, p->fire, 16);
	put_value(b, key, 2, 8);		/* the machine gun */
}

void say_message(struct player *p, uint64_t now, const char *command)
{
	unsigned char packet[TEXT_BYTES * 2];
	struct bits b = { packet + 6, 0, (sizeof(packet) - 6) * 8, false };
	uint32_t sequence = htole32(++p->outgoing);
	uint16_t port = htole16(p->port);

	memcpy(packet, &sequence, 4);
	memcpy(packet + 4, &port, 2);
	bits_put(&b, p->server_id, 32);
	bits_put(&b, p->incoming, 32);
	bits_put(&b, p->command, 32);
	if (command) {
		bits_put(&b, TO_COMMAND, 8);
		bits_put(&b, 1, 32);
		do
			bits_put(&b, *command, 8);
		while (*command++);
	} else if (p->server_id) {
		put_move(&b, p, now);
	}
	bits_put(&b, TO_END, 8);
	scramble(packet + 6, 12, b.bit / 8 + 1, p->challenge ^ p->server_id ^ p->incoming,
		 p->command_text);
	send(p->sock, packet, 6 + b.bit / 8 + 1, MSG_DONTWAIT);
}

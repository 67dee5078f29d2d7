// SPDX-License-Identifier: GPL-2.0-only
/* Tokens and tickets as text. */
#include <string.h>

#include "daemon.h"
#include "tap.h"

static void there_and_back(void)
{
	uint8_t bytes[256], back[256];
	char text[513];
	int i;

	for (i = 0; i < 256; i++)
		bytes[i] = (uint8_t)(i * 167 + 3);
	hex_encode(bytes, sizeof(bytes), text);
	CHECK(strlen(text) == 512);
	CHECK(strspn(text, "0123456789abcdef") == 512);
	CHECK(!hex_decode(text, back, sizeof(back)));
	CHECK(!memcmp(bytes, back, sizeof(bytes)));
}

static void known(void)
{
	const uint8_t bytes[] = { 0x00, 0x01, 0x7f, 0x80, 0xab, 0xff };
	uint8_t back[6];
	char text[13];

	hex_encode(bytes, sizeof(bytes), text);
	CHECK_TEXT(text, "00017f80abff");
	CHECK(!hex_decode("00017f80abff", back, 6) && !memcmp(bytes, back, 6));
}

static void refused(void)
{
	static const char *const bad[] = { "", "0", "0011223", "001122334", "0011223g", "0011223 ",
					   "0x112233", "001122-3", "0011223\n", "AABBCCDD",
					   "+1+1+1+1", "00112233 " };
	uint8_t bytes[4];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!CHECK(hex_decode(bad[i], bytes, sizeof(bytes)) == -1))
			CHECK_TEXT(bad[i], "refused");
	CHECK(hex_decode(NULL, bytes, sizeof(bytes)) == -1);
}

static void nothing(void)
{
	uint8_t byte = 0x5a;

	CHECK(!hex_decode("", &byte, 0) && byte == 0x5a);
}

int main(void)
{
	static const struct test tests[] = {
		{ "every byte there and back", there_and_back },
		{ "known text", known },
		{ "what is not that many bytes is refused", refused },
		{ "no bytes", nothing },
	};

	return TAP_RUN(tests);
}

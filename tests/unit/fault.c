// SPDX-License-Identifier: GPL-2.0-only
/* Words for the user: cut where they are too long, and always UTF-8. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "tap.h"

/* JSON's own check is the one they have to pass. */
static bool is_utf8(const char *text)
{
	json_t *string = json_string(text);

	json_decref(string);
	return string != NULL;
}

static void words(void)
{
	struct fault fault;

	CHECK(fail(&fault, "%s is %d", "x", 7) == -1);
	CHECK_TEXT(fault.text, "x is 7");
	CHECK(fail(&fault, "%s", "") == -1);
	CHECK_TEXT(fault.text, "");
	CHECK(fail(&fault, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7") == -1);
	CHECK_TEXT(fault.text, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7");
}

static void cut(void)
{
	static const char *const pieces[] = { "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa7" };
	struct fault fault;
	char text[1024];
	size_t i, shift;

	for (i = 0; i < 4; i++)
		for (shift = 0; shift < 4; shift++) {
			memset(text, 'a', shift);
			text[shift] = 0;
			while (strlen(text) + 5 < sizeof(text))
				strcat(text, pieces[i]);
			fail(&fault, "%s", text);
			CHECK(strlen(fault.text) == sizeof(fault.text) - 1);
			CHECK(is_utf8(fault.text));
			CHECK(!strncmp(fault.text, text, sizeof(fault.text) - 4));
		}
}

static void not_utf8(void)
{
	static const struct { const char *from, *to; } known[] = {
		{ "", "" }, { "a\xff" "b", "a?b" }, { "\x80", "?" }, { "\xc3", "?" },
		{ "\xc3(", "?(" },
		{ "\xc0\xaf", "??" }, { "\xe2\x82", "??" }, { "\xed\xa0\x80", "???" },
		{ "\xe0\x80\x80", "???" }, { "\xf4\x90\x80\x80", "????" },
		{ "\xf8\x88\x80\x80\x80", "?????" },
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" }, { "\xed\x9f\xbf", "\xed\x9f\xbf" },
		{ "\xc2\x80\xdf\xbf", "\xc2\x80\xdf\xbf" }, { "\xf0\x80\x80\x80", "????" },
	};
	char text[16];
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
		strcpy(text, known[i].from);
		text_to_utf8(text);
		CHECK_TEXT(text, known[i].to);
	}
}

/* Every three bytes, and random ones: what comes out is good, what was good stays. */
static void any_bytes(void)
{
	unsigned int i, j;
	char text[24], before[24];

	srandom(1);
	for (i = 0; i < 100000; i++) {
		size_t bytes = 1 + i % 8;

		/* Of exactly its size: ASan sees each byte too far. */
		char *exact = malloc(bytes + 1);

		for (j = 0; j < bytes; j++)
			exact[j] = (char)(random() % 3 ? 0x80 + random() % 128 : 1 + random() % 255);
		exact[bytes] = 0;
		strcpy(before, exact);
		text_to_utf8(exact);
		strcpy(text, exact);
		free(exact);
		if (!is_utf8(text) || (is_utf8(before) && strcmp(before, text)))
			CHECK_TEXT(text, before);
	}
}

int main(void)
{
	static const struct test tests[] = {
		{ "words", words },
		{ "cut within a character", cut },
		{ "what is not UTF-8", not_utf8 },
		{ "any bytes", any_bytes },
	};

	return TAP_RUN(tests);
}

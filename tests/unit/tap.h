/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tests told as TAP. Each runs in a process of its own: a crash, a sanitizer's
 * report, a leak and a hang are the failure of that test and end nothing else.
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>

#define TEST_SECONDS	150

struct test {
	const char *name;
	void (*run)(void);
};

/* Goes on after a failure: what the test holds is still given back. */
#define CHECK(condition) tap_check(condition, __FILE__, __LINE__, #condition)
/* Tells the text that is not the one expected. */
#define CHECK_TEXT(text, expected) tap_check_text(text, expected, __FILE__, __LINE__)
/* Whether a part of the text is there. */
#define CHECK_HAS(text, part) tap_check_has(text, part, __FILE__, __LINE__)

bool tap_check(bool good, const char *file, int line, const char *what);
bool tap_check_text(const char *text, const char *expected, const char *file, int line);
bool tap_check_has(const char *text, const char *part, const char *file, int line);

/* Ends the test that calls it; @why is told. What failed before stays failed. */
_Noreturn void tap_skip(const char *why);
/* Ends the test that calls it as failed. */
_Noreturn void tap_give_up(const char *why);

/* For main() to return. */
int tap_run(const struct test *tests, unsigned int count);
#define TAP_RUN(tests) tap_run(tests, sizeof(tests) / sizeof(*(tests)))

#endif

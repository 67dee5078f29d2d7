// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stream from a QEMU, whole and in pieces: both come to the same. A seed is in
 * hexadecimal digits after an 'x'; what begins otherwise is taken as it is.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ramfilter/filter.h"

#define INPUT_BYTES 65536

const unsigned int fuzz_iterations = 20000;

#define HEADER	"x5145564d00000003" "07000000026d31"
#define START	"01000000010372616d0000000000000004" "0000000000003004" \
		"0472616d300000000000002000" "0162" "0000000000001000" "00000000000000107e00000001"
#define PART	"0200000001" "00000000000000020472616d3000" "000000000000102200" \
		"0000000000000002016200" "00000000000000107e00000001"
#define END	"0300000001" "00000000000000107e00000001" "0400000002aa00"

const char *const fuzz_seeds[] = {
	HEADER START PART PART END,
	HEADER "0800010000" "080002000400000001" START PART "08000b0000" END,
	HEADER "051a636f6e66696775726174696f6e2f6361706162696c697469657300000001000000010f782d69676e6f72652d736861726564"
	"01000000010372616d0000000000000004" "0000000000002004" "0472616d3000000000000020000000000000000000"
	"00000000000000107e00000001" END,
	NULL,
};

static size_t decode(const uint8_t *data, size_t bytes, uint8_t *raw)
{
	static const char digits[] = "0123456789abcdef";
	size_t i, count = 0;

	if (!bytes || *data != 'x') {
		memcpy(raw, data, bytes);
		return bytes;
	}
	for (i = 1; i < bytes; i++) {
		const char *digit = data[i] ? strchr(digits, tolower(data[i])) : NULL;

		if (!digit)
			break;
		if (i & 1)
			raw[count] = (uint8_t)((digit - digits) << 4);
		else
			raw[count++] |= (uint8_t)(digit - digits);
	}
	return count;
}

/* In pieces of at most that many bytes; -1 where it is refused. */
static long run(const uint8_t *raw, size_t bytes, size_t piece, uint8_t *out)
{
	static struct ramfilter filter;
	size_t at = 0, put, total = 0;
	struct fault fault;
	long took;

	ramfilter_init(&filter);
	if (ramfilter_leave_out(&filter, "ram0", 8192, &fault))
		abort();
	while (at < bytes) {
		took = ramfilter_run(&filter, raw + at, bytes - at < piece ? bytes - at : piece,
				     out + total, &put, &fault);
		if (took < 0)
			return -1;
		at += took;
		total += put;
		filter.passes = filter.at;
	}
	return total > bytes ? abort(), -1 : (long)total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint8_t raw[INPUT_BYTES], whole[INPUT_BYTES + RAMFILTER_HELD_BYTES],
		       pieces[INPUT_BYTES + RAMFILTER_HELD_BYTES];
	size_t count;
	long one;

	if (bytes > INPUT_BYTES)
		return 0;
	count = decode(data, bytes, raw);
	one = run(raw, count, count, whole);
	if (run(raw, count, 1 + count % 7, pieces) != one)
		abort();
	if (one > 0 && memcmp(whole, pieces, one))
		abort();
	return 0;
}

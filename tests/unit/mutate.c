// SPDX-License-Identifier: GPL-2.0-only
/* Runs a fuzz target on mutations of its seeds: the same ones each time. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tap.h"

#define INPUT_BYTES 4096

static uint64_t state = 0x9e3779b97f4a7c15;

/* xorshift64* */
static uint32_t draw(uint32_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1d) >> 32) % below;
}

static const char *seed(void)
{
	uint32_t count = 0;

	while (fuzz_seeds[count])
		count++;
	return fuzz_seeds[draw(count)];
}

static size_t insert(char *data, size_t bytes, size_t at, const char *what, size_t count)
{
	if (bytes + count > INPUT_BYTES)
		return bytes;
	memmove(data + at + count, data + at, bytes - at);
	memcpy(data + at, what, count);
	return bytes + count;
}

static size_t mutate(char *data, size_t bytes)
{
	static const char telling[] = "%[]:/?&=\"{},\\\n\r\0\xff\x80" "0";
	const char *other = seed();
	size_t at = bytes ? draw(bytes) : 0, count = bytes ? 1 + draw(bytes - at) : 0;
	char copy[256], one = telling[draw(sizeof(telling))];

	switch (draw(7)) {
	case 0:		/* flip a bit */
		if (bytes)
			data[at] ^= 1 << draw(8);
		return bytes;
	case 1:		/* cut out */
		memmove(data + at, data + at + count, bytes - at - count);
		return bytes - count;
	case 2:		/* cut off */
		return at;
	case 3:		/* a byte that means something */
		return insert(data, bytes, at, &one, 1);
	case 4:		/* a piece again */
		count = count < sizeof(copy) ? count : sizeof(copy);
		memcpy(copy, data + at, count);
		return insert(data, bytes, at, copy, count);
	case 5:		/* of another seed, its end */
		other += draw(strlen(other) + 1);
		return insert(data, at, at, other, strlen(other));
	default:	/* any byte */
		if (bytes)
			data[at] = (char)draw(256);
		return bytes;
	}
}

static void mutations(void)
{
	unsigned int i, steps;
	char data[INPUT_BYTES];
	uint8_t *exact;

	for (i = 0; i < fuzz_iterations; i++) {
		const char *from = seed();
		size_t bytes = strlen(from);

		memcpy(data, from, bytes);
		for (steps = draw(8); steps; steps--)
			bytes = mutate(data, bytes);
		/* Of exactly its size: ASan sees each byte too far. */
		exact = malloc(bytes ? bytes : 1);
		memcpy(exact, data, bytes);
		LLVMFuzzerTestOneInput(exact, bytes);
		free(exact);
	}
}

int main(void)
{
	static const struct test tests[] = { { "mutated inputs", mutations } };

	return TAP_RUN(tests);
}

// SPDX-License-Identifier: GPL-2.0-only
/* What a QEMU that knows rdmafast: says: its request, then lines. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "native.h"
#include "tap.h"

#define SOON_MS 5000

static struct native native;
static struct fault fault;
static int pair[2], stream[2], file;

static void begin(void)
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || socketpair(AF_UNIX, SOCK_STREAM, 0, stream))
		tap_give_up("no sockets");
	file = open("/dev/null", O_RDWR | O_CLOEXEC);
	native = (struct native){ .stream = -1 };
	lines_open(&native.lines, "QEMU", pair[0], pair[0]);
}

static void end(void)
{
	linebuf_free(&native.lines.buf);
	close(file);
	close(pair[0]);
	close(pair[1]);
	close(stream[0]);
	close(stream[1]);
}

static json_t *request(void)
{
	return json_pack("{s:s,s:s,s:{s:s,s:s,s:s,s:[i,i,i],s:s,s:s,s:s,s:[],s:i,s:i},s:[{s:s,s:i}]}",
			 "command", "native", "uri", "rdmafast:hostB", "facts", "name", "vm",
			 "uuid", "u", "status", "running", "qemu", 7, 2, 22, "arch", "x86_64",
			 "machine", "pc", "cpu", "host", "cpu_features", "vcpus", 1, "ram_bytes",
			 4096, "regions", "id", "ram0", "bytes", 4096);
}

/* Takes over @words. */
static void refused(json_t *words, const char *why, unsigned int count)
{
	int given[] = { stream[0], file, file };

	fault.text[0] = 0;
	CHECK(native_take(&native, words, pair[0], given, count, &fault) == -1);
	CHECK_HAS(fault.text, why);
	/* They are the caller's. */
	CHECK(fcntl(stream[0], F_GETFD) >= 0 && fcntl(file, F_GETFD) >= 0);
	CHECK(native.stream == -1 && !native.guest.facts);
	json_decref(words);
}

static void facts_are_checked(void)
{
	static const char *const keys[] = { "name", "uuid", "status", "qemu", "arch", "machine", "cpu",
					    "cpu_features", "vcpus", "ram_bytes" };
	json_t *words;
	size_t i;

	begin();
	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		words = request();
		json_object_del(json_object_get(words, "facts"), keys[i]);
		refused(words, keys[i], 2);
		words = request();
		json_object_set_new(json_object_get(words, "facts"), keys[i], json_null());
		refused(words, keys[i], 2);
	}
	words = request();
	json_object_set_new(words, "facts", json_array());
	refused(words, "name", 2);
	end();
}

static json_t *with_region(json_t *region)
{
	json_t *words = request();

	json_object_set_new(words, "regions", json_pack("[o]", region));
	return words;
}

static void regions_are_checked(void)
{
	static const char long_id[] =
		"0123456789012345678901234567890123456789012345678901234567890123";
	json_t *words = request();

	begin();
	json_object_del(words, "regions");
	refused(words, "no RAM", 1);
	words = request();
	json_object_set_new(words, "regions", json_string("ram0"));
	refused(words, "no RAM", 1);
	refused(request(), "1 regions and gives 1", 1);
	refused(request(), "1 regions and gives 3", 3);
	refused(request(), "1 regions and gives 0", 0);
	refused(request(), "vmfastmig filesystem", 2);
	refused(with_region(json_string("ram0")), "no name", 2);
	refused(with_region(json_pack("{s:s,s:i}", "id", "", "bytes", 4096)), "no name", 2);
	refused(with_region(json_pack("{s:s,s:i}", "id", long_id, "bytes", 4096)), "no name", 2);
	refused(with_region(json_pack("{s:s,s:i}", "id", "ram0", "bytes", 0)), "no name", 2);
	refused(with_region(json_pack("{s:s,s:i}", "id", "ram0", "bytes", -1)), "no name", 2);
	end();
}

static void say(const char *text)
{
	CHECK(write(pair[1], text, strlen(text)) == (ssize_t)strlen(text));
}

static int next(json_t **words)
{
	fault.text[0] = 0;
	return native_next(&native, SOON_MS, WATCH_NOTHING, words, &fault);
}

static void lines(void)
{
	json_t *words;

	begin();
	say("{\"do\":\"round\"}\n{\"do\":");
	CHECK(!next(&words) && json_object_get(words, "do"));
	json_decref(words);
	CHECK(native_next(&native, 10, WATCH_NOTHING, &words, &fault) == -1);
	say("\"final\"}\n{\"loaded\":true}\n{\"do\":\"x\"}\n{\"do\":1}\n");
	CHECK(!native_expect(&native, "do", "final", SOON_MS, WATCH_NOTHING, &fault));
	CHECK(!native_expect(&native, "loaded", NULL, SOON_MS, WATCH_NOTHING, &fault));
	CHECK(native_expect(&native, "do", "final", SOON_MS, WATCH_NOTHING, &fault) == -1);
	CHECK(native_expect(&native, "do", "final", SOON_MS, WATCH_NOTHING, &fault) == -1);
	CHECK(!native_is_gone(&native));
	shutdown(pair[1], SHUT_WR);
	CHECK(native_is_gone(&native));
	CHECK(next(&words) == -1 && strstr(fault.text, "gone"));
	end();
}

static void nonsense(void)
{
	static const char *const lines[] = { "\n", "x\n", "[]\n", "1\n", "{\"a\":1,\"a\":2}\n", "{}}\n",
					     "{\"a\":\"\xff\"}\n" };
	json_t *words;
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		begin();
		say(lines[i]);
		CHECK(next(&words) == -1 && !words && strstr(fault.text, "JSON"));
		end();
	}
}

static void endless(void)
{
	static char text[4096];
	json_t *words;
	int i;

	begin();
	memset(text, ' ', sizeof(text) - 1);
	for (i = 0; i < 20; i++)
		say(text);
	CHECK(next(&words) == -1 && strstr(fault.text, "at once"));
	end();
}

static void watched(void)
{
	struct watch watch = { eventfd(1, EFD_CLOEXEC), -1 };
	json_t *words;

	begin();
	CHECK(native_next(&native, SOON_MS, &watch, &words, &fault) == -1 &&
	      strstr(fault.text, "cancelled"));
	say("{\"do\":\"round\"}\n");
	watch = (struct watch){ -1, watch.stop_fd };
	CHECK(native_next(&native, SOON_MS, &watch, &words, &fault) == -1);
	close(watch.peer_fd);
	end();
}

static void answers(void)
{
	char got[64] = "";

	begin();
	CHECK(!native_say(&native, json_pack("{s:b}", "waiting", 1), &fault));
	CHECK(read(pair[1], got, sizeof(got) - 1) > 0 && !strcmp(got, "{\"waiting\":true}\n"));
	CHECK(native_say(&native, NULL, &fault) == -1);	/* not UTF-8 */
	shutdown(pair[1], SHUT_RDWR);
	CHECK(native_say(&native, json_pack("{s:b}", "waiting", 1), &fault) == -1);
	end();
}

int main(void)
{
	static const struct test tests[] = {
		{ "facts are checked", facts_are_checked },
		{ "regions are checked", regions_are_checked },
		{ "lines", lines },
		{ "nonsense", nonsense },
		{ "endless", endless },
		{ "watched", watched },
		{ "answers", answers },
	};

	signal(SIGPIPE, SIG_IGN);	/* as in the daemon */
	return TAP_RUN(tests);
}

// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "native.h"

#define LINE_BYTES 65536

/* What the preflight reads, and of what type it has to be. */
static const struct {
	const char *key;
	json_type type;
} facts[] = {
	{ "name", JSON_STRING },
	{ "uuid", JSON_STRING },
	{ "status", JSON_STRING },
	{ "qemu", JSON_ARRAY },
	{ "arch", JSON_STRING },
	{ "machine", JSON_STRING },
	{ "cpu", JSON_STRING },
	{ "cpu_features", JSON_ARRAY },
	{ "vcpus", JSON_INTEGER },
	{ "ram_bytes", JSON_INTEGER },
};

static int take_facts(struct native *native, const json_t *request, struct fault *fault)
{
	json_t *given = json_object_get(request, "facts");
	size_t i;

	for (i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		json_t *fact = json_object_get(given, facts[i].key);

		if (!fact || json_typeof(fact) != facts[i].type)
			return fail(fault, "QEMU does not say its %s", facts[i].key);
		json_object_set(native->guest.facts, facts[i].key, fact);
	}
	json_object_set_new(native->guest.facts, "disks", json_array());
	json_object_set_new(native->guest.facts, "blockers", json_array());
	json_object_set_new(native->guest.facts, "native", json_true());
	return 0;
}

/* One of our filesystem's, of that size, and to be written to. */
static int check_file(int fd, uint64_t bytes, const char *id, struct fault *fault)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (flags & O_ACCMODE) != O_RDWR || !guest_is_region(fd) || fstat(fd, &st))
		return fail(fault, "region %s: its file is not one of a vmfastmig filesystem, open for writing",
			    id);
	return bytes && (uint64_t)st.st_size >= bytes ? 0 :
	       fail(fault, "region %s: its file has %llu bytes of %llu", id,
		    (unsigned long long)st.st_size, (unsigned long long)bytes);
}

static int take_region(struct native *native, const json_t *given, int fd, struct fault *fault)
{
	const char *id = json_string_value(json_object_get(given, "id"));
	json_int_t bytes = json_integer_value(json_object_get(given, "bytes"));
	struct guest_region *region = &native->guest.region[native->guest.regions];

	if (!id || !*id || strlen(id) >= sizeof(region->id) || bytes <= 0)
		return fail(fault, "a region of QEMU's has no name, or one that is too long, or no size");
	if (check_file(fd, bytes, id, fault))
		return -1;
	strcpy(region->id, id);
	region->bytes = bytes;
	region->fd = fd;
	native->guest.regions++;
	json_array_append_new(json_object_get(native->guest.facts, "regions"),
			      json_pack("{s:s,s:I}", "id", id, "bytes", bytes));
	return 0;
}

/* The stream first, then a file for each region, in their order. */
static int take_regions(struct native *native, const json_t *request, const int *given,
			unsigned int count, struct fault *fault)
{
	json_t *regions = json_object_get(request, "regions"), *region;
	size_t i;

	if (!json_array_size(regions))
		return fail(fault, "no RAM of this QEMU's is on vmfastmig: -object memory-backend-file,id=ID,mem-path=/dev/vmfastmig/NAME,share=on,size=...");
	if (json_array_size(regions) > VMFM_REGIONS_MAX || json_array_size(regions) + 1 != count)
		return fail(fault, "QEMU names %zu regions and gives %u descriptors",
			    json_array_size(regions), count);
	json_array_foreach(regions, i, region)
		if (take_region(native, region, given[1 + i], fault))
			return -1;
	return 0;
}

static int check_stream(int fd, struct fault *fault)
{
	socklen_t bytes = sizeof(int);
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) || type != SOCK_STREAM ?
	       fail(fault, "QEMU's stream is not a socket") : 0;
}

int native_take(struct native *native, json_t *request, int fd, const int *given,
		unsigned int count, struct fault *fault)
{
	struct ucred peer = { 0 };
	socklen_t bytes = sizeof(peer);

	*native = (struct native){ .stream = -1 };
	lines_open(&native->lines, "QEMU", fd, fd);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes))
		return fail(fault, "who is it? %s", strerror(errno));
	native->pid = peer.pid;
	guest_init(&native->guest);
	if (!take_facts(native, request, fault) &&
	    !take_regions(native, request, given, count, fault) &&
	    !check_stream(given[0], fault)) {
		native->stream = given[0];
		return 0;
	}
	native->guest.regions = 0;	/* their files are the caller's */
	native_free(native);
	return -1;
}

void native_free(struct native *native)
{
	if (native->stream >= 0)
		close(native->stream);
	native->stream = -1;
	if (native->guest.facts)
		guest_free(&native->guest);
	linebuf_free(&native->lines.buf);
}

int native_take_stream(struct native *native)
{
	int stream = native->stream;

	native->stream = -1;
	return stream;
}

static int take_line(struct native *native, json_t **words, struct fault *fault)
{
	int got = lines_take(&native->lines, words, fault);

	return got || native->lines.buf.used <= LINE_BYTES ? got :
	       fail(fault, "QEMU says more than %d bytes at once", LINE_BYTES);
}

int native_next(struct native *native, int timeout_ms, const struct watch *watch,
		json_t **words, struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + (timeout_ms < 0 ? 0 : timeout_ms);
	struct pollfd fds[3];
	int got, left_ms;

	while (!(got = take_line(native, words, fault))) {
		uint64_t now_ms = clock_ms();

		left_ms = timeout_ms < 0 ? -1 : now_ms < deadline_ms ? (int)(deadline_ms - now_ms) : 0;
		watch_poll(watch, fds);
		fds[2] = (struct pollfd){ .fd = native->lines.in, .events = POLLIN };
		if (poll(fds, 3, left_ms) == 0)
			return fail(fault, "QEMU says nothing any more");
		if (fds[0].revents)
			return fail(fault, "cancelled");
		if (fds[1].revents)
			return fail(fault, "the peer has something to say");
		if (fds[2].revents && lines_fill(&native->lines, fault))
			return fail(fault, NATIVE_GONE);
	}
	return got > 0 ? 0 : -1;
}

int native_expect(struct native *native, const char *key, const char *value, int timeout_ms,
		  const struct watch *watch, struct fault *fault)
{
	json_t *words, *said;
	bool right;

	if (native_next(native, timeout_ms, watch, &words, fault))
		return -1;
	said = json_object_get(words, key);
	right = value ? json_is_string(said) && !strcmp(json_string_value(said), value) :
		said != NULL;
	json_decref(words);
	return right ? 0 : fail(fault, "QEMU speaks out of turn");
}

int native_say(struct native *native, json_t *words, struct fault *fault)
{
	return lines_send(&native->lines, words, fault);
}

bool native_is_gone(const struct native *native)
{
	struct pollfd end = { .fd = native->lines.in, .events = POLLRDHUP };

	return poll(&end, 1, 0) > 0;
}

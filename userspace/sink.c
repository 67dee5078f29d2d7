// SPDX-License-Identifier: GPL-2.0-only
/*
 * The destination's side of a migration.
 *
 * A QEMU that waits (-incoming defer) is registered by sink_wait(). When a peer
 * offers a guest of that name, the thread of its control connection serves it.
 * The QEMU is told "stop" while it waits, so that it stands still once it has
 * loaded: it runs when the source says "commit", and never without. A QEMU that
 * began to load and was not committed cannot be used again: it is told to quit.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "clock.h"
#include "daemon.h"
#include "door.h"
#include "guest.h"
#include "log.h"
#include "preflight.h"
#include "qmp.h"
#include "stream.h"

#define ANSWER_MS	30000
#define LOAD_MS		60000
#define IDLE_MS		86400000

/* A QEMU that waits for its guest. */
struct sink {
	struct sink *next;
	struct job *job;
	char name[256];
	struct qmp qmp;
	struct guest guest;
	bool busy;		/* a peer's thread has it */
	bool ended;
	json_t *result;
	pthread_cond_t cond;
};

/* One offer that is being served. */
struct offer {
	struct sink *sink;
	struct chan *control;
	struct chan data;
	struct stream stream;
	struct door door;
	uint32_t session;
	char ticket[33];
	char stream_path[108];
	bool paused;
	bool loading;		/* migrate-incoming was sent */
	bool committed;
	bool has_data;
	struct offer *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t data_came = PTHREAD_COND_INITIALIZER;
static struct sink *sinks;
static struct offer *offers;

static struct sink *claim(const char *name, struct fault *fault)
{
	struct sink *sink;

	pthread_mutex_lock(&lock);
	for (sink = sinks; sink && strcmp(sink->name, name); sink = sink->next)
		;
	if (!sink)
		fail(fault, "no QEMU waits here for guest \"%s\"; run: vmfastmig incoming --qmp PATH rdmafast:0/%s",
		     name, name);
	else if (sink->busy)
		fail(fault, "guest \"%s\" is being received already", name);
	if (sink && sink->busy)
		sink = NULL;
	if (sink)
		sink->busy = true;
	pthread_mutex_unlock(&lock);
	return sink;
}

/* Back to waiting, or with a result to its end. Takes over @result. */
static void unclaim(struct sink *sink, json_t *result)
{
	pthread_mutex_lock(&lock);
	sink->busy = false;
	sink->ended = result != NULL;
	sink->result = result;
	pthread_cond_broadcast(&sink->cond);
	pthread_mutex_unlock(&lock);
}

static void list_offer(struct offer *offer)
{
	uint8_t random[16];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		abort();
	hex_encode(random, sizeof(random), offer->ticket);
	pthread_mutex_lock(&lock);
	offer->next = offers;
	offers = offer;
	pthread_mutex_unlock(&lock);
}

static void unlist_offer(struct offer *offer)
{
	struct offer **at;

	pthread_mutex_lock(&lock);
	for (at = &offers; *at && *at != offer; at = &(*at)->next)
		;
	if (*at)
		*at = offer->next;
	pthread_mutex_unlock(&lock);
}

/* A ticket is good once, and only while its offer is being served. */
bool sink_stream(struct chan *chan, const char *ticket)
{
	struct offer *offer;

	pthread_mutex_lock(&lock);
	for (offer = offers; offer; offer = offer->next)
		if (!offer->has_data && !strcmp(offer->ticket, ticket))
			break;
	if (offer) {
		offer->data = *chan;
		offer->has_data = true;
		pthread_cond_broadcast(&data_came);
	}
	pthread_mutex_unlock(&lock);
	return offer;
}

static int wait_data(struct offer *offer, struct fault *fault)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	pthread_mutex_lock(&lock);
	while (!offer->has_data && !err)
		err = pthread_cond_timedwait(&data_came, &lock, &until);
	pthread_mutex_unlock(&lock);
	return offer->has_data ? 0 : fail(fault, "the source opened no stream");
}

static uint64_t free_bytes(void)
{
	unsigned long long kb = 0;
	struct statfs fs;
	char line[128];
	FILE *meminfo = fopen("/proc/meminfo", "re");
	uint64_t bytes = 0;

	while (meminfo && fgets(line, sizeof(line), meminfo))
		if (sscanf(line, "MemAvailable: %llu", &kb) == 1)
			break;
	if (meminfo)
		fclose(meminfo);
	bytes = kb << 10;
	if (!statfs(FS_DIR, &fs) && (uint64_t)fs.f_bavail * fs.f_bsize < bytes)
		bytes = (uint64_t)fs.f_bavail * fs.f_bsize;
	return bytes;
}

static int check_module(struct offer *offer, json_t *message, json_t *checks, struct fault *fault)
{
	json_t *theirs = json_object_get(message, "module"), *ours;
	json_int_t from, to;

	if (door_open(&offer->door, fault) || door_info(&offer->door, &ours, fault))
		return -1;
	from = json_integer_value(json_object_get(theirs, "wire_version"));
	to = json_integer_value(json_object_get(ours, "wire_version"));
	json_array_append_new(checks, json_pack("{s:s,s:b,s:s,s:s}", "check", "module", "ok",
		from == to, "detail", from == to ? "loaded on both, same wire version" :
		"the modules speak different wire versions", "remedy",
		from == to ? "" : "install the same version on both hosts"));
	json_decref(ours);
	return 0;
}

static int parse_host(const char *text, struct sockaddr_storage *addr)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;

	if (!text || getaddrinfo(text, NULL, &hints, &found))
		return -1;
	memset(addr, 0, sizeof(*addr));
	memcpy(addr, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

static const struct guest_region *region_named(const struct guest *guest, const char *id)
{
	unsigned int i;

	for (i = 0; i < guest->regions; i++)
		if (!strcmp(guest->region[i].id, id))
			return &guest->region[i];
	return NULL;
}

/* In the source's order; the preflight has seen that all are there. */
static int list_regions(const struct guest *guest, json_t *offered, struct door_spec *spec,
			struct fault *fault)
{
	json_t *regions = json_object_get(offered, "regions"), *region;
	size_t i;

	json_array_foreach(regions, i, region) {
		const char *id = json_string_value(json_object_get(region, "id"));
		const struct guest_region *twin = id ? region_named(guest, id) : NULL;

		if (!twin || spec->regions == VMFM_REGIONS_MAX)
			return fail(fault, "region %s is not here", id ? id : "?");
		strcpy(spec->region[spec->regions].name, id);
		spec->region[spec->regions++].fd = twin->fd;
	}
	return 0;
}

static int open_session(struct offer *offer, json_t *message, struct sockaddr_storage *bound,
			struct fault *fault)
{
	struct door_spec spec = { .role = VMFM_ROLE_SINK };
	const char *token = json_string_value(json_object_get(message, "token"));
	const char *peer = json_string_value(json_object_get(message, "rdma_addr"));

	if (hex_decode(token, spec.token, sizeof(spec.token)) || parse_host(peer, &spec.peer))
		return fail(fault, "the offer has no token or no RDMA address");
	config_rdma_addr(offer->control, &spec.addr);
	if (list_regions(&offer->sink->guest, json_object_get(message, "offer"), &spec, fault))
		return -1;
	return door_session_new(&offer->door, &spec, &offer->session, bound, fault);
}

static json_t *ready_answer(struct offer *offer, json_t *checks,
			    const struct sockaddr_storage *bound)
{
	char host[NI_MAXHOST], port[8];

	getnameinfo((const struct sockaddr *)bound, sizeof(*bound), host, sizeof(host), port,
		    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	return json_pack("{s:O,s:s,s:s,s:i}", "checks", checks, "ticket", offer->ticket,
			 "rdma_addr", host, "rdma_port", atoi(port));
}

/* What the guest here is now: it may have changed since it was registered. */
static int refresh_guest(struct sink *sink, struct fault *fault)
{
	struct guest guest;

	if (guest_read(&guest, &sink->qmp, fault))
		return -1;
	guest_free(&sink->guest);
	sink->guest = guest;
	return 0;
}

/* 1: only a check was asked for, and it was answered. */
static int take_offer(struct offer *offer, json_t *message, struct fault *fault)
{
	json_t *checks = json_array(), *offered = json_object_get(message, "offer");
	bool check = json_is_true(json_object_get(message, "check"));
	struct sockaddr_storage bound = { 0 };
	int err = -1;

	if (!json_is_object(offered) || refresh_guest(offer->sink, fault) ||
	    check_module(offer, message, checks, fault))
		goto out;
	preflight_sink(checks, offered, offer->sink->guest.facts, free_bytes());
	if (check) {
		err = chan_send(offer->control, json_pack("{s:O}", "checks", checks), fault) ? -1 : 1;
		goto out;
	}
	offer->paused = json_is_true(json_object_get(message, "paused"));
	if (preflight_verdict(checks, fault) ||
	    guest_set_capabilities(&offer->sink->qmp, fault) ||
	    qmp_call(&offer->sink->qmp, "stop", NULL, NULL, fault) ||
	    open_session(offer, message, &bound, fault))
		goto out;
	err = chan_send(offer->control, ready_answer(offer, checks, &bound), fault);
out:
	json_decref(checks);
	return err;
}

static int connect_qemu(struct offer *offer, struct fault *fault)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, offer->stream_path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		if (fd >= 0)
			close(fd);
		return fail(fault, "%s: %s", addr.sun_path, strerror(errno));
	}
	return stream_start(&offer->stream, fd, &offer->data, false, fault);
}

static int begin_loading(struct offer *offer, struct fault *fault)
{
	char uri[128];

	snprintf(offer->stream_path, sizeof(offer->stream_path), RUN_DIR "/sink-%u.sock",
		 offer->sink->job->id);
	unlink(offer->stream_path);
	snprintf(uri, sizeof(uri), "unix:%s", offer->stream_path);
	if (wait_data(offer, fault))
		return -1;
	offer->loading = true;
	if (qmp_call(&offer->sink->qmp, "migrate-incoming", json_pack("{s:s}", "uri", uri), NULL,
		     fault) || connect_qemu(offer, fault))
		return -1;
	return chan_send(offer->control, json_pack("{s:b}", "listening", 1), fault);
}

/* The next message of the source; its end and an abort are failures. */
static int next_message(struct offer *offer, const char *want, int timeout_ms,
			struct fault *fault)
{
	json_t *message, *reason;
	int err = 0;

	if (chan_receive(offer->control, timeout_ms, &message, fault))
		return -1;
	reason = json_object_get(message, "abort");
	if (reason)
		err = fail(fault, "the source gave up: %s", json_string_value(reason) ?: "?");
	else if (!json_object_get(message, want))
		err = fail(fault, "%s sent a message out of turn", offer->control->peer);
	json_decref(message);
	return err;
}

/* A source that says something now gave up, or is gone. */
static int wait_loaded(struct offer *offer, struct fault *fault)
{
	static const char *const ends[] = { "completed", "failed", NULL };
	struct door_session session;
	json_t *event;
	int got = qmp_wait_event(&offer->sink->qmp, "MIGRATION", ends, LOAD_MS + ANSWER_MS,
				 offer->control->fd, &event, fault);
	bool completed;

	if (got < 0)
		return -1;
	if (!got)
		return next_message(offer, "nothing", 100, fault) ?
		       -1 : fail(fault, "QEMU did not load the guest in time");
	completed = !strcmp(json_string_value(json_object_get(json_object_get(event, "data"),
							      "status")), "completed");
	json_decref(event);
	if (!completed)
		return fail(fault, "QEMU could not load the device state: see its log");
	/* All RAM is here and no key is valid: only now may it be said. */
	return door_session_wait(&offer->door, offer->session, VMFM_STATE_DONE, ANSWER_MS, -1,
				 &session, fault);
}

static int commit(struct offer *offer, struct fault *fault)
{
	uint64_t start_ns = clock_ns();

	if (next_message(offer, "commit", LOAD_MS, fault))
		return -1;
	offer->committed = true;
	if (!offer->paused && qmp_call(&offer->sink->qmp, "cont", NULL, NULL, fault))
		return -1;
	return chan_send(offer->control, json_pack("{s:{s:f}}", "resumed", "cont_ms",
						   (clock_ns() - start_ns) / 1e6), fault);
}

static int serve(struct offer *offer, json_t *message, struct fault *fault)
{
	struct job *job = offer->sink->job;
	int err;

	job_phase(job, "preflight");
	err = take_offer(offer, message, fault);
	if (err)
		return err;
	job_phase(job, "precopy");
	if (next_message(offer, "switchover", IDLE_MS, fault))
		return -1;
	job_phase(job, "device-state");
	if (begin_loading(offer, fault) || wait_loaded(offer, fault) ||
	    chan_send(offer->control, json_pack("{s:b}", "loaded", 1), fault))
		return -1;
	job_phase(job, "commit");
	return commit(offer, fault);
}

/* "stop" made it stand still after a load; as it was for who comes next. */
static void back_to_waiting(struct offer *offer)
{
	struct fault ignored;

	qmp_call(&offer->sink->qmp, "cont", NULL, NULL, &ignored);
	job_phase(offer->sink->job, "waiting");
	unclaim(offer->sink, NULL);
}

static void give_up(struct offer *offer, const struct fault *fault)
{
	struct fault ignored;

	chan_send(offer->control, json_pack("{s:s}", "error", fault->text), &ignored);
	log_warn("job %u: %s", offer->sink->job->id, fault->text);
	if (!offer->loading) {
		back_to_waiting(offer);
		return;
	}
	if (!offer->committed)
		qmp_call(&offer->sink->qmp, "quit", NULL, NULL, &ignored);
	unclaim(offer->sink, json_pack("{s:b,s:s,s:s}", "completed", offer->committed, "error",
				       fault->text, "guest", offer->committed ?
				       "committed" : "its QEMU was told to quit"));
}

static void release(struct offer *offer)
{
	unlist_offer(offer);
	stream_stop(&offer->stream);
	if (offer->has_data)
		chan_close(&offer->data);
	if (offer->door.sock)
		door_close(&offer->door);
	if (*offer->stream_path)
		unlink(offer->stream_path);
}

void sink_control(struct chan *chan)
{
	struct offer offer = { .control = chan };
	struct fault fault = { "" };
	const char *name;
	json_t *message;
	int err;

	if (chan_send(chan, json_pack("{s:i}", "protocol", PROTOCOL_VERSION), &fault) ||
	    chan_receive(chan, ANSWER_MS, &message, &fault))
		return;
	name = json_string_value(json_object_get(message, "name"));
	offer.sink = name ? claim(name, &fault) : NULL;
	if (!offer.sink) {
		chan_send(chan, json_pack("{s:s}", "error", name ? fault.text : "no name"), &fault);
		json_decref(message);
		return;
	}
	list_offer(&offer);
	err = serve(&offer, message, &fault);
	json_decref(message);
	/* The session ends with its door: before the QEMU can be offered again. */
	release(&offer);
	if (err < 0)
		give_up(&offer, &fault);
	else if (err > 0)
		back_to_waiting(&offer);
	else
		unclaim(offer.sink, json_pack("{s:b,s:s}", "completed", 1, "guest",
					      offer.paused ? "paused" : "running"));
}

static void add_sink(struct sink *sink)
{
	pthread_mutex_lock(&lock);
	sink->next = sinks;
	sinks = sink;
	pthread_mutex_unlock(&lock);
}

static bool name_taken(const char *name)
{
	struct sink *sink;

	pthread_mutex_lock(&lock);
	for (sink = sinks; sink && strcmp(sink->name, name); sink = sink->next)
		;
	pthread_mutex_unlock(&lock);
	return sink;
}

/* Until it has its result, was cancelled, or its QEMU is gone. */
static json_t *wait_end(struct sink *sink)
{
	struct timespec until;
	json_t *result = NULL;
	struct sink **at;

	pthread_mutex_lock(&lock);
	while (!sink->ended) {
		struct pollfd qmp = { .fd = sink->qmp.fd, .events = POLLRDHUP };

		if (!sink->busy && job_cancelled(sink->job))
			result = json_pack("{s:b,s:s}", "completed", 0, "error", "cancelled");
		else if (!sink->busy && poll(&qmp, 1, 0) > 0 && (qmp.revents & (POLLHUP | POLLRDHUP)))
			result = json_pack("{s:b,s:s}", "completed", 0, "error", "its QEMU is gone");
		if (result)
			break;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 200000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&sink->cond, &lock, &until);
	}
	for (at = &sinks; *at != sink; at = &(*at)->next)
		;
	*at = sink->next;
	pthread_mutex_unlock(&lock);
	return result ? result : sink->result;
}

static int check_waiting(struct sink *sink, const char *name, struct fault *fault)
{
	const char *is = guest_text(&sink->guest, "name");
	const char *status = guest_text(&sink->guest, "status");

	snprintf(sink->name, sizeof(sink->name), "%s", name && *name ? name : is);
	if (!*sink->name)
		return fail(fault, "this QEMU has no -name: name its guest in the URI, rdmafast:0/NAME");
	if (strcmp(status, "inmigrate"))
		return fail(fault, "guest %s is %s, it does not wait for a migration: start it with -incoming defer",
			    sink->name, status);
	return name_taken(sink->name) ?
	       fail(fault, "a QEMU waits for guest %s already", sink->name) : 0;
}

void sink_wait(struct job *job, const char *qmp_path, const char *name)
{
	struct sink *sink = calloc(1, sizeof(*sink));
	struct fault fault;
	json_t *result;

	sink->job = job;
	pthread_cond_init(&sink->cond, NULL);
	if (qmp_open(&sink->qmp, qmp_path, &fault) ||
	    guest_read(&sink->guest, &sink->qmp, &fault) || check_waiting(sink, name, &fault)) {
		result = json_pack("{s:b,s:s}", "completed", 0, "error", fault.text);
	} else {
		job_set(job, "guest", json_string(sink->name));
		add_sink(sink);
		job_phase(job, "waiting");
		result = wait_end(sink);
	}
	if (sink->guest.facts)
		guest_free(&sink->guest);
	if (sink->qmp.buf)
		qmp_close(&sink->qmp);
	pthread_cond_destroy(&sink->cond);
	free(sink);
	job_end(job, result);
}

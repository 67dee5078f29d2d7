// SPDX-License-Identifier: GPL-2.0-only
/*
 * The destination's side of a migration: a peer offers a guest, the thread of
 * its control connection serves it.
 *
 * The QEMU is told "stop" before it loads, so that it stands still once it has:
 * it runs when the source says "commit", and never without. A QEMU that began
 * to load and was not committed cannot be used again: it is told to quit.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../rdma/path.h"
#include "clock.h"
#include "door.h"
#include "log.h"
#include "preflight.h"
#include "offer.h"

#define ANSWER_MS	30000
#define LOAD_MS		60000
#define PIPED_LOAD_MS	86400000	/* the source has QEMU read all its RAM, and sees to its end */
#define THANKS_MS	5000
#define GUEST_FIRST_MS	500
#define NO_LIMIT	-1

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;	/* data came, or an offer ended */
static struct offer *offers;

void offer_list(struct offer *offer)
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

void offer_unlist(struct offer *offer)
{
	struct offer **at;

	pthread_mutex_lock(&lock);
	for (at = &offers; *at && *at != offer; at = &(*at)->next)
		;
	if (*at)
		*at = offer->next;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	if (offer->has_data)	/* and it may have come late */
		chan_close(&offer->data);
}

static struct offer *find_locked(const char *ticket)
{
	struct offer *offer;

	for (offer = offers; offer; offer = offer->next)
		if (!strcmp(offer->ticket, ticket))
			break;
	return offer;
}

/* A ticket is good once, and only while its offer is being served. */
bool sink_stream(struct chan *chan, const char *ticket)
{
	struct offer *offer;
	bool taken;

	pthread_mutex_lock(&lock);
	offer = find_locked(ticket);
	taken = offer && !offer->has_data;
	if (taken) {
		offer->data = *chan;
		offer->has_data = true;
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&lock);
	return taken;
}

/* Ten seconds for what another thread does. */
static void ten_seconds(struct timespec *until)
{
	clock_gettime(CLOCK_REALTIME, until);
	until->tv_sec += 10;
}

int offer_wait_data(struct offer *offer, struct fault *fault)
{
	struct timespec until;
	bool has_data;
	int err = 0;

	ten_seconds(&until);
	pthread_mutex_lock(&lock);
	while (!offer->has_data && !err)
		err = pthread_cond_timedwait(&changed, &lock, &until);
	has_data = offer->has_data;
	pthread_mutex_unlock(&lock);
	return has_data ? 0 : fail(fault, "the source opened no stream");
}

/* The thread that serves the offer may still be on its lost connection: that ends first. */
static bool offer_has_ended(const char *ticket)
{
	struct timespec until;
	struct offer *offer;
	int err = 0;

	ten_seconds(&until);
	pthread_mutex_lock(&lock);
	while ((offer = find_locked(ticket)) && !err) {
		shutdown(offer->control->fd, SHUT_RDWR);
		err = pthread_cond_timedwait(&changed, &lock, &until);
	}
	pthread_mutex_unlock(&lock);
	return !offer;
}

void sink_commit_again(struct chan *chan, const char *ticket, const char *boot_id)
{
	json_t *thanks, *answer;
	struct fault fault;

	answer = *ticket && offer_has_ended(ticket) ? custody_commit(ticket, boot_id) : NULL;
	if (!answer)
		return;		/* it asks again */
	if (chan_send(chan, answer, &fault) ||
	    chan_receive(chan, THANKS_MS, &thanks, &fault))
		return;
	if (json_is_true(json_object_get(thanks, "thanks")))
		custody_end(ticket);
	json_decref(thanks);
}

uint64_t ram_free_bytes(void)
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

int offer_check_module(struct offer *offer, json_t *message, json_t *checks, struct fault *fault)
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
	char host[NI_MAXHOST], port[8], boot_id[64];

	custody_boot_id(boot_id);
	getnameinfo((const struct sockaddr *)bound, sizeof(*bound), host, sizeof(host), port,
		    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	return json_pack("{s:O,s:s,s:s,s:s,s:i}", "checks", checks, "ticket", offer->ticket,
			 "boot_id", boot_id, "rdma_addr", host, "rdma_port", atoi(port));
}

int offer_get_ready(struct offer *offer, json_t *message, json_t *checks, struct fault *fault)
{
	struct sockaddr_storage bound = { 0 };

	return open_session(offer, message, &bound, fault) ?:
	       chan_send(offer->control, ready_answer(offer, checks, &bound), fault);
}

/* What the guest here is now: it may have changed since it was registered. */
static int refresh_guest(struct sink *sink, struct fault *fault)
{
	struct guest guest;

	if (sink->native)
		return 0;	/* its QEMU would have to say so */
	if (guest_read(&guest, &sink->qmp, fault))
		return -1;
	if (guest_read_machines(&guest, &sink->qmp, fault)) {
		guest_free(&guest);
		return -1;
	}
	guest_free(&sink->guest);
	sink->guest = guest;
	return 0;
}

void offer_check_device(struct offer *offer, json_t *checks, struct sockaddr_storage *addr)
{
	char device[64], detail[192];
	struct fault why;
	int err;

	config_rdma_addr(offer->control, addr);
	err = rdma_path_local(addr, device, &why);
	snprintf(detail, sizeof(detail), "destination: %s", err ? "" : device);
	preflight_note(checks, "rdma", err, &why, detail);
}

int offer_answer_check(struct offer *offer, json_t *checks, const struct sockaddr_storage *addr,
			struct fault *fault)
{
	char host[NI_MAXHOST];

	getnameinfo((const struct sockaddr *)addr, sizeof(*addr), host, sizeof(host), NULL, 0,
		    NI_NUMERICHOST);
	return chan_send(offer->control, json_pack("{s:O,s:s}", "checks", checks, "rdma_addr", host),
			 fault) ? -1 : 1;
}

static int answer_offer(struct offer *offer, json_t *message, json_t *checks,
			struct fault *fault)
{
	offer->piped = json_is_true(json_object_get(json_object_get(message, "offer"), "piped"));
	if (preflight_verdict(checks, fault))
		return -1;
	if (!offer->sink->native &&
	    (guest_read_settings(&offer->sink->qmp, &offer->settings, fault) ||
	     guest_change_settings(&offer->sink->qmp, 300, offer->settings, fault) ||
	     (offer->piped && guest_send_shared(&offer->sink->qmp, fault))))
		return -1;
	return offer_get_ready(offer, message, checks, fault);
}

/* 1: only a check was asked for, and it was answered. */
static int take_offer(struct offer *offer, json_t *message, struct fault *fault)
{
	json_t *checks = json_array(), *offered = json_object_get(message, "offer");
	struct sockaddr_storage addr = { 0 };
	int err = -1;

	if (!json_is_object(offered))
		fail(fault, "the source offers no guest");
	else if (json_is_true(json_object_get(offered, "native")) != (offer->sink->native != NULL))
		fail(fault, offer->sink->native ?
		     "the QEMU that waits here knows rdmafast: itself; have the source's QEMU migrate, by migrate rdmafast:HOST" :
		     "the QEMU that waits here was registered by vmfastmig incoming; start it with -incoming rdmafast:0");
	else if (refresh_guest(offer->sink, fault) || offer_check_module(offer, message, checks, fault))
		err = -1;
	else {
		preflight_sink(checks, offered, offer->sink->guest.facts, ram_free_bytes());
		offer_check_device(offer, checks, &addr);
		err = json_is_true(json_object_get(message, "check")) ?
		      offer_answer_check(offer, checks, &addr, fault) :
		      answer_offer(offer, message, checks, fault);
	}
	json_decref(checks);
	return err;
}

/* Whether the peer said something; a cancel and the end of our QEMU end it, too. */
static int wait_word(struct offer *offer, int timeout_ms, struct fault *fault)
{
	struct pollfd fds[4] = {
		{ .fd = offer->control->fd, .events = POLLIN },
		{ .fd = offer->sink->job->stop_fd, .events = POLLIN },
		{ .fd = offer->sink->native ? offer->sink->native->lines.in : offer->sink->qmp.fd,
		  .events = POLLRDHUP },
		{ .fd = offer->end_fd, .events = POLLIN },
	};

	if (chan_readable(offer->control, 0))
		return 0;
	poll(fds, 4, timeout_ms);
	if (fds[0].revents)
		return 0;
	if (fds[1].revents)
		return fail(fault, "cancelled on the destination");
	return fail(fault, fds[2].revents || fds[3].revents ? "the waiting QEMU is gone" : "%s says nothing any more",
		    offer->control->peer);
}

int offer_next_message(struct offer *offer, const char *want, int timeout_ms,
			json_t **message, struct fault *fault)
{
	json_t *reason;
	int err = 0;

	*message = NULL;
	if (wait_word(offer, timeout_ms, fault) ||
	    chan_receive(offer->control, CHAN_SILENCE_MS, message, fault))
		return -1;
	reason = json_object_get(*message, "abort");
	if (reason)
		err = fail(fault, "the source gave up: %s", json_string_value(reason) ?: "?");
	else if (!json_object_get(*message, want))
		err = fail(fault, "%s sent a message out of turn", offer->control->peer);
	if (!err)
		return 0;
	json_decref(*message);
	*message = NULL;
	return err;
}

int offer_note_custody(struct offer *offer, bool told, struct fault *fault)
{
	struct custody custody = { .ticket = offer->ticket, .qmp = &offer->sink->qmp,
				   .paused = offer->paused, .told = told,
				   .settings = offer->settings,
				   .native = offer->sink->native };

	return custody_note(&custody, fault);
}

static int begin_loading(struct offer *offer, struct fault *fault)
{
	struct qmp *qmp = &offer->sink->qmp;

	if (offer_wait_data(offer, fault) ||
	    stream_give(&offer->stream, qmp, &offer->data, false, fault))
		return -1;
	offer->loading = true;
	/* For when it has loaded, which is while the guest stands still. */
	if (offer_note_custody(offer, false, fault) || qmp_call(qmp, "stop", NULL, NULL, fault) ||
	    qmp_call(qmp, "migrate-incoming", json_pack("{s:s}", "uri", STREAM_URI), NULL,
		     fault))
		return -1;
	return chan_send(offer->control, json_pack("{s:b}", "listening", 1), fault);
}

/* A source that says something now gave up, or is gone. */
static int wait_loaded(struct offer *offer, struct fault *fault)
{
	static const char *const ends[] = { "completed", "failed", NULL };
	struct watch watch = { offer->sink->job->stop_fd, offer->control->fd };
	struct door_session session;
	json_t *event, *message;
	int got = qmp_wait_event(&offer->sink->qmp, "MIGRATION", ends,
				 offer->piped ? PIPED_LOAD_MS : LOAD_MS + ANSWER_MS, &watch, &event,
				 fault);
	bool completed;

	if (got < 0)
		return -1;
	if (!got) {
		if (!offer_next_message(offer, "nothing", 100, &message, fault))
			json_decref(message);
		return -1;
	}
	job_mark(offer->sink->job, "received", atomic_load(&offer->stream.forward_ns));
	job_mark(offer->sink->job, "loaded", clock_ns());
	completed = !strcmp(json_string_value(json_object_get(json_object_get(event, "data"),
							      "status")), "completed");
	json_decref(event);
	if (!completed)
		return fail(fault, "QEMU could not load the device state: see its log");
	/* All RAM is here and no key is valid: only now may it be said. */
	return door_session_wait(&offer->door, offer->session, VMFM_STATE_DONE, ANSWER_MS,
				 WATCH_NOTHING, &session, fault);
}

static int tell_loaded(struct offer *offer, struct fault *fault)
{
	return chan_send(offer->control, json_pack("{s:b}", "loaded", 1), fault);
}

/* A "cont" that QEMU refused did not run the guest; one that is lost may have. */
static int run_guest(struct offer *offer, struct fault *fault)
{
	struct qmp *qmp = &offer->sink->qmp;
	struct fault ignored;

	if (offer_note_custody(offer, true, fault))
		return -1;
	offer->maybe_ran = true;
	if (offer->sink->native)
		return native_run(offer, fault);
	if (offer->paused || !qmp_call(qmp, "cont", NULL, NULL, fault))
		return 0;
	offer->maybe_ran = !qmp->refused;
	if (qmp->refused || qmp_go_past(qmp, &ignored))
		return -1;
	return qmp_call(qmp, "cont", NULL, NULL, fault);	/* a guest that runs, runs on */
}

/* The source has heard it once it says thanks. If not, it asks again. */
static bool tell_resumed(struct offer *offer, uint64_t start_ns)
{
	struct fault ignored;
	json_t *answer;
	bool thanks;

	if (chan_send(offer->control, json_pack("{s:{s:f}}", "resumed", "cont_ms",
						(clock_ns() - start_ns) / 1e6), &ignored) ||
	    chan_receive(offer->control, THANKS_MS, &answer, &ignored))
		return false;
	thanks = json_is_true(json_object_get(answer, "thanks"));
	json_decref(answer);
	return thanks;
}

static int commit(struct offer *offer, struct fault *fault)
{
	uint64_t start_ns;
	json_t *message;

	if (offer_next_message(offer, "ready", LOAD_MS, &message, fault))
		return -1;
	json_decref(message);
	if (chan_send(offer->control, json_pack("{s:b}", "ready", 1), fault) ||
	    offer_next_message(offer, "commit", LOAD_MS, &message, fault))
		return -1;
	json_decref(message);
	start_ns = clock_ns();
	job_mark(offer->sink->job, "committed", start_ns);
	offer->committed = true;
	if (run_guest(offer, fault))
		return -1;
	job_mark(offer->sink->job, "resumed", clock_ns());
	offer->thanked = tell_resumed(offer, start_ns);
	return 0;
}

void offer_let_it_run(struct offer *offer)
{
	job_tidy(offer->sink->job, GUEST_FIRST_MS);
}

/* The custody has the settings, too: it goes last. */
static void tidy_up(struct offer *offer)
{
	offer_let_it_run(offer);
	guest_restore_settings(&offer->sink->qmp, offer->settings);
	offer->settings = NULL;
	if (offer->thanked)
		custody_end(offer->ticket);
}

static int load(struct offer *offer, struct fault *fault)
{
	json_t *word;

	if (offer->sink->native)
		return native_load(offer, fault);
	if (offer_next_message(offer, "switchover", NO_LIMIT, &word, fault))
		return -1;
	offer->paused = json_is_true(json_object_get(word, "paused"));
	json_decref(word);
	job_phase(offer->sink->job, "device-state");
	return begin_loading(offer, fault) ?: wait_loaded(offer, fault);
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
	if (load(offer, fault) || tell_loaded(offer, fault))
		return -1;
	job_phase(job, "commit");
	return commit(offer, fault);
}

static void back_to_waiting(struct offer *offer)
{
	guest_restore_settings(&offer->sink->qmp, offer->settings);
	offer->settings = NULL;
	job_phase(offer->sink->job, "waiting");
	sink_unclaim(offer->sink);
}

/* It began to load, and nobody may run what it has. */
static void quit_qemu(struct offer *offer)
{
	struct qmp *qmp = &offer->sink->qmp;
	struct fault ignored;

	if (offer->sink->native) {	/* it ends with its connection */
		shutdown(offer->sink->native->lines.in, SHUT_RDWR);
		custody_end(offer->ticket);
		return;
	}
	qmp_go_past(qmp, &ignored);
	if (qmp_call(qmp, "quit", NULL, NULL, &ignored) && !qmp_is_gone(qmp) && qmp->pid > 1 &&
	    qmp_process(qmp) == qmp->pid)
		kill(qmp->pid, SIGKILL);
	custody_end(offer->ticket);
}

/*
 * The source's guest may stand still until it hears this, and to take back the keys of
 * a large guest takes seconds: that comes later. Nobody runs here what they could write
 * to. The stream ends first, so that a QEMU that reads it answers its monitor.
 */
static void tell_failure(struct offer *offer, const struct fault *fault)
{
	struct fault ignored;
	json_t *word = json_pack("{s:s}", "error", fault->text);

	log_warn("job %u: %s", offer->sink->job->id, fault->text);
	stream_stop(&offer->stream);
	if (!offer->maybe_ran && offer->loading)
		quit_qemu(offer);
	if (!offer->maybe_ran)
		json_object_set_new(word, "ran", json_false());
	chan_send(offer->control, word, &ignored);
	if (!offer->maybe_ran)
		offer_unlist(offer);	/* a commit said again finds no custody, and has its answer */
}

/* Once the session has let go of the files. */
static void give_up(struct offer *offer, const struct fault *fault)
{
	if (!offer->loading) {
		back_to_waiting(offer);
		return;
	}
	sink_end(offer->sink, json_pack("{s:b,s:s,s:s}", "completed", 0, "error", fault->text, "guest",
					offer->maybe_ran ? "committed" :
					"its QEMU was told to quit"));
}

void offer_release(struct offer *offer)
{
	struct fault ignored;

	stream_stop(&offer->stream);
	if (offer->session)
		door_session_do(&offer->door, VMFM_CMD_SESSION_DEL, offer->session, 0, &ignored);
	if (offer->door.sock)
		door_close(&offer->door);
}

static void run_offer(struct offer *offer, json_t *message)
{
	struct fault fault = { "" };
	int err;

	offer_list(offer);
	err = serve(offer, message, &fault);
	if (err < 0)
		tell_failure(offer, &fault);
	else if (!err)
		tidy_up(offer);
	offer_release(offer);
	if (err < 0)
		give_up(offer, &fault);
	else if (err > 0)
		back_to_waiting(offer);
	else
		sink_end(offer->sink, json_pack("{s:b,s:s}", "completed", 1, "guest",
						offer->paused ? "paused" : "running"));
	offer_unlist(offer);
	json_decref(offer->settings);
}

void sink_control(struct chan *chan)
{
	struct offer offer = { .control = chan, .end_fd = -1 };
	struct fault fault = { "" };
	const char *name;
	json_t *message;

	if (chan_send(chan, json_pack("{s:i}", "protocol", PROTOCOL_VERSION), &fault) ||
	    chan_receive(chan, ANSWER_MS, &message, &fault))
		return;
	name = json_string_value(json_object_get(message, "name")) ?: "";
	if (json_object_get(message, "libvirt"))
		virtsink_serve(chan, message, name);
	else if ((offer.sink = sink_claim(name, &fault)))
		run_offer(&offer, message);
	else
		chan_send(chan, json_pack("{s:s}", "error", fault.text), &fault);
	json_decref(message);
}

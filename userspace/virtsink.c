// SPDX-License-Identifier: GPL-2.0-only
/*
 * The destination of a migration of libvirt's. libvirtd here has started QEMU, which
 * listens; it runs the guest when QEMU has loaded it, and kills a QEMU that has not.
 * So we bring it RAM, and the stream up to its end once all of RAM is here.
 */
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "clock.h"
#include "domain.h"
#include "log.h"
#include "offer.h"
#include "preflight.h"
#include "sockpeer.h"
#include "virtdir.h"

#define LOADED_MS	5000
#define DEATH_MS	100
#define NO_LIMIT	-1

/* The guest is not here yet. 1: answered. */
static int check(struct offer *offer, json_t *message, json_t *checks, struct fault *fault)
{
	struct sockaddr_storage addr;

	if (virtdir_make(fault) || offer_check_module(offer, message, checks, fault))
		return -1;
	preflight_libvirt(checks, json_object_get(message, "offer"), NULL, ram_free_bytes());
	offer_check_device(offer, checks, &addr);
	return offer_answer_check(offer, checks, &addr, fault);
}

/* The domain's QEMU, and nobody else, and only while it waits: else nobody listens there. */
static int find_qemu(struct offer *offer, const char *from, const char *name, int *qemu,
		     struct fault *fault)
{
	char path[108];
	pid_t pid;

	if (virtdir_path(from, path, fault) || domain_read(name, &offer->sink->guest, &pid, fault))
		return -1;
	offer->end_fd = pidfd_open(pid, 0);
	if (offer->end_fd < 0)
		return fail(fault, "the QEMU of domain %s is gone", name);
	*qemu = sockpeer_connect(path, pid, fault);
	if (*qemu < 0)
		return -1;
	unlink(path);	/* a QEMU that is killed leaves it */
	return 0;
}

static int take_offer(struct offer *offer, json_t *message, json_t *checks, struct fault *fault)
{
	struct sockaddr_storage addr;

	if (offer_check_module(offer, message, checks, fault))
		return -1;
	preflight_libvirt(checks, json_object_get(message, "offer"), offer->sink->guest.facts,
			  ram_free_bytes());
	offer_check_device(offer, checks, &addr);
	return preflight_verdict(checks, fault) ?: offer_get_ready(offer, message, checks, fault);
}

static int wait_for(struct offer *offer, const char *word, int timeout_ms, struct fault *fault)
{
	json_t *message;

	if (offer_next_message(offer, word, timeout_ms, &message, fault))
		return -1;
	json_decref(message);
	return 0;
}

/* It closes the stream when it has loaded all of it, and when it dies. */
static int wait_loaded(struct offer *offer, struct fault *fault)
{
	struct pollfd end = { .fd = offer->end_fd, .events = POLLIN };
	uint64_t deadline_ms = clock_ms() + LOADED_MS;

	while (!atomic_load(&offer->stream.qemu_closed) && clock_ms() < deadline_ms)
		poll(&end, 1, 10);
	if (poll(&end, 1, DEATH_MS) > 0)
		return fail(fault, "QEMU ended before it had loaded all: see its log");
	return atomic_load(&offer->stream.qemu_closed) ? 0 :
	       fail(fault, "QEMU's stream ended, and it has not loaded all: the migration was cancelled late");
}

static int say(struct offer *offer, const char *word, struct fault *fault)
{
	return chan_send(offer->control, json_pack("{s:b}", word, 1), fault);
}

/* Takes over @qemu. */
static int begin_loading(struct offer *offer, int *qemu, struct fault *fault)
{
	int fd = *qemu;

	if (wait_for(offer, "switchover", NO_LIMIT, fault) || offer_wait_data(offer, fault))
		return -1;
	*qemu = -1;
	job_phase(offer->sink->job, "device-state");
	return stream_start(&offer->stream, fd, &offer->data, false, fault) ?:
	       say(offer, "listening", fault);
}

static int load(struct offer *offer, struct fault *fault)
{
	struct door_session session;

	return wait_for(offer, "ram", NO_LIMIT, fault) ?:
	       door_session_wait(&offer->door, offer->session, VMFM_STATE_DONE, OFFER_DONE_MS,
				 WATCH_NOTHING, &session, fault) ?:
	       say(offer, "ram", fault) ?: wait_for(offer, "end", OFFER_LOAD_MS, fault) ?:
	       wait_loaded(offer, fault) ?: say(offer, "loaded", fault);
}

static int serve(struct offer *offer, json_t *message, const char *from, const char *name,
		 struct fault *fault)
{
	json_t *checks = json_array();
	int qemu = -1, err;

	job_phase(offer->sink->job, "preflight");
	err = find_qemu(offer, from, name, &qemu, fault) ?:
	      take_offer(offer, message, checks, fault);
	if (!err) {
		job_phase(offer->sink->job, "precopy");
		err = begin_loading(offer, &qemu, fault) ?: load(offer, fault);
	}
	json_decref(checks);
	if (qemu >= 0)
		close(qemu);
	return err;
}

static void tell_failure(struct offer *offer, const struct fault *fault)
{
	struct fault ignored;

	log_warn("job %u: %s", offer->sink->job->id, fault->text);
	chan_send(offer->control, json_pack("{s:s}", "error", fault->text), &ignored);
}

/* A QEMU that has not the whole stream fails when it is closed. */
static void serve_domain(struct offer *offer, json_t *message, const char *from,
			 const char *name)
{
	struct sink *sink = offer->sink;
	struct fault fault = { "" };
	int err;

	job_set(sink->job, "guest", json_string(name));
	offer_list(offer);
	err = serve(offer, message, from, name, &fault);
	if (err)
		tell_failure(offer, &fault);
	else
		offer_let_it_run(offer);
	offer_release(offer);
	offer_unlist(offer);
	if (offer->end_fd >= 0)
		close(offer->end_fd);
	if (sink->guest.facts)
		guest_free(&sink->guest);
	job_end(sink->job, err ? json_pack("{s:b,s:s,s:s}", "completed", 0, "error", fault.text,
					   "guest", "left to libvirt") :
		json_pack("{s:b,s:s}", "completed", 1, "guest", "left to libvirt"));
}

static void serve_check(struct offer *offer, json_t *message)
{
	json_t *checks = json_array();
	struct fault why = { "" }, fault;

	if (check(offer, message, checks, &why) < 0) {
		fail(&fault, "destination: %.480s", why.text);
		chan_send(offer->control, json_pack("{s:s}", "error", fault.text), &why);
	}
	json_decref(checks);
	offer_release(offer);
}

void virtsink_serve(struct chan *control, json_t *message, const char *name)
{
	const char *from = json_string_value(json_object_get(message, "libvirt")) ?: "";
	struct sink sink = { .qmp = { .fd = -1 } };
	struct offer offer = { .control = control, .sink = &sink, .end_fd = -1 };
	struct fault fault = { "" };
	char key[300];

	if (json_is_true(json_object_get(message, "check"))) {
		serve_check(&offer, message);
		return;
	}
	snprintf(key, sizeof(key), "libvirt:%.256s", name);
	sink.job = job_new(JOB_SINK, key, &fault);
	if (!sink.job) {
		chan_send(control, json_pack("{s:s}", "error", fault.text), &fault);
		return;
	}
	serve_domain(&offer, message, from, name);
	job_put(sink.job);
}

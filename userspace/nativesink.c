// SPDX-License-Identifier: GPL-2.0-only
/*
 * The destination of a migration between two QEMUs that know rdmafast: (native.h).
 * QEMU loads from the first byte on, beside the rounds. A QEMU that has begun and is
 * not told to run ends by itself, when its connection does.
 */
#include "clock.h"
#include "native.h"
#include "offer.h"

#define NO_LIMIT	-1

static int begin(struct offer *offer, struct fault *fault)
{
	if (offer_wait_data(offer, fault))
		return -1;
	offer->loading = true;
	return stream_start(&offer->stream, native_take_stream(offer->sink->native), &offer->data,
			    false, fault);
}

/* A source that says something now gave up, or is gone. */
static int await_loaded(struct offer *offer, struct fault *fault)
{
	struct watch watch = { offer->sink->job->stop_fd, offer->control->fd };
	json_t *message;

	if (!native_expect(offer->sink->native, "loaded", NULL, OFFER_LOAD_MS, &watch, fault))
		return 0;
	if (chan_readable(offer->control, 0) &&
	    !offer_next_message(offer, "nothing", 100, &message, fault))
		json_decref(message);
	return -1;
}

int native_load(struct offer *offer, struct fault *fault)
{
	struct door_session session;
	json_t *message;

	if (begin(offer, fault) || offer_next_message(offer, "ram", NO_LIMIT, &message, fault))
		return -1;
	json_decref(message);
	job_phase(offer->sink->job, "device-state");
	/* All RAM is here and no key is valid; and this host will know whose the guest is. */
	if (door_session_wait(&offer->door, offer->session, VMFM_STATE_DONE, OFFER_DONE_MS,
			      WATCH_NOTHING, &session, fault) ||
	    offer_note_custody(offer, false, fault) ||
	    chan_send(offer->control, json_pack("{s:b}", "ram", 1), fault) ||
	    await_loaded(offer, fault))
		return -1;
	job_mark(offer->sink->job, "received", atomic_load(&offer->stream.forward_ns));
	job_mark(offer->sink->job, "loaded", clock_ns());
	return 0;
}

int native_run(struct offer *offer, struct fault *fault)
{
	return native_say(offer->sink->native, json_pack("{s:b}", "run", 1), fault);
}

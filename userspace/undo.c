// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "log.h"
#include "resume.h"
#include "source.h"

/* The peer lets go of the disks while we end QEMU's migration. */
static void tell_abort(struct source *source, const struct fault *fault)
{
	struct fault ignored;

	if (source->control.fd >= 0)
		chan_send(&source->control, json_pack("{s:s}", "abort", fault->text), &ignored);
}

static int bring_back(struct source *source, struct fault *fault)
{
	struct fault why = *fault, more;

	return resume_guest(&source->qmp, source->was_running, &more) ?
	       fail(fault, "%.200s; and then: %s", why.text, more.text) : 0;
}

/*
 * A QEMU that writes into a stream nobody reads holds the lock its monitor
 * needs: the stream ends first.
 */
void source_undo(struct source *source, struct fault *fault)
{
	struct fault ignored;
	int err = 0;

	tell_abort(source, fault);
	if (source->piped)
		piped_undo(source, fault);
	if (source->native)
		native_undo(source, fault);
	stream_stop(&source->stream);
	if (source->qmp.fd >= 0)
		qmp_go_past(&source->qmp, &ignored);
	if (source->migrating)
		err = bring_back(source, fault);
	if (source->session)
		door_session_do(&source->door, VMFM_CMD_SESSION_DEL, source->session, 0, &ignored);
	guest_restore_settings(&source->qmp, source->settings);
	source->settings = NULL;
	if (source->journaled && !err)	/* else a daemon that starts again tries it once more */
		journal_remove(source->qmp.path);
}

void source_release(struct source *source)
{
	stream_stop(&source->stream);
	piped_free(source->piped);
	virt_free(source->virt);
	chan_close(&source->data);
	chan_close(&source->control);
	if (source->door.sock)
		door_close(&source->door);
	if (source->guest.facts)
		guest_free(&source->guest);
	if (source->qmp.fd >= 0)
		qmp_close(&source->qmp);
	explicit_bzero(source->token, sizeof(source->token));
	json_decref(source->settings);
	json_decref(source->checks);
	json_decref(source->rounds);
	json_decref(source->phases);
}

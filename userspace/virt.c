// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "domain.h"
#include "preflight.h"
#include "sockpeer.h"
#include "source.h"
#include "virtdir.h"

#define COME_MS		600000
#define LOOK_MS		20

struct virt *virt_new(const char *domain)
{
	struct virt *virt = calloc(1, sizeof(*virt));

	if (!virt)
		abort();
	snprintf(virt->domain, sizeof(virt->domain), "%s", domain);
	virt->listener = -1;
	virt->libvirtd = -1;
	return virt;
}

static void stop_listening(struct virt *virt)
{
	if (virt->listener < 0)
		return;
	close(virt->listener);
	unlink(virt->path);
	virt->listener = -1;
}

void virt_free(struct virt *virt)
{
	if (!virt)
		return;
	stop_listening(virt);
	if (virt->libvirtd >= 0)
		close(virt->libvirtd);
	free(virt);
}

/* It may be another QEMU by now. */
static int read_domain(struct source *source, struct fault *fault)
{
	if (source->guest.facts)
		guest_free(&source->guest);
	return domain_read(source->virt->domain, &source->guest, &source->virt->qemu, fault);
}

int virt_connect(struct source *source, struct fault *fault)
{
	struct virt *virt = source->virt;

	if (source->options.paused)
		return fail(fault, "paused: that is for virsh migrate --paused");
	job_set(source->job, "guest", json_string(virt->domain));
	return virtdir_path(virt->domain, virt->path, fault) ?: virtdir_make(fault) ?:
	       read_domain(source, fault) ?: door_open(&source->door, fault) ?:
	       source_call_peer(source, fault);
}

/* What can be known before libvirt begins. The destination has no such domain yet. */
int virt_preflight(struct source *source, struct fault *fault)
{
	int err;

	piped_check_room(source);
	source->check = true;
	err = source_preflight(source, fault) ?: preflight_verdict(source->checks, fault);
	source->check = false;
	source_leave_peer(source);
	return err;
}

static int await_connection(struct source *source, struct fault *fault)
{
	struct pollfd fds[2] = {
		{ .fd = source->virt->listener, .events = POLLIN },
		{ .fd = source->job->stop_fd, .events = POLLIN },
	};

	if (poll(fds, 2, COME_MS) == 0)
		return fail(fault, "libvirt did not come to %s in %d s; virsh migrate --migrateuri",
			    source->virt->path, COME_MS / 1000);
	return fds[1].revents ? fail(fault, "cancelled") : 0;
}

/* Each end of the stream is the one connection. */
static int take_connection(struct source *source, struct fault *fault)
{
	struct pipes *pipes = &source->piped->conduit.pipes;
	struct ucred peer = { 0 };
	socklen_t bytes = sizeof(peer);
	int fd = accept4(source->virt->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return fail(fault, "%s: %s", source->virt->path, strerror(errno));
	pipes->in = fd;
	pipes->out = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (pipes->out < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes))
		return fail(fault, "%s: %s", source->virt->path, strerror(errno));
	source->virt->libvirtd = pidfd_open(peer.pid, 0);
	return source->virt->libvirtd >= 0 ? 0 : fail(fault, "libvirtd is gone");
}

int virt_wait(struct source *source, struct fault *fault)
{
	struct virt *virt = source->virt;
	char uri[400];
	int err;

	virt->listener = virtdir_listen(virt->path, fault);
	if (virt->listener < 0)
		return -1;
	virtdir_uri(virt->path, uri, sizeof(uri));
	job_set(source->job, "max_downtime_ms", json_integer(piped_downtime_ms(source)));
	job_set(source->job, "migrateuri", json_string(uri));
	err = await_connection(source, fault) ?: take_connection(source, fault);
	stop_listening(virt);
	source->start_ns = clock_ns();
	return err;
}

int virt_offer(struct source *source, struct fault *fault)
{
	json_array_clear(source->checks);
	if (read_domain(source, fault) || source_call_peer(source, fault))
		return -1;
	piped_check_room(source);
	return source_preflight(source, fault);
}

static int check_qemu(struct source *source, int fd, struct fault *fault)
{
	const struct virt *virt = source->virt;
	struct fault why;

	return sockpeer_check(fd, virt->qemu, &why) ?
	       fail(fault, "what came to %s is not the migration of domain %s: %.200s", virt->path,
		    virt->domain, why.text) : 0;
}

int virt_prepare(struct source *source, struct fault *fault)
{
	int fd = fcntl(source->piped->conduit.pipes.in, F_DUPFD_CLOEXEC, 0), err;

	/* QEMU has the connection when it has written. */
	err = source_open_data(source, fault) ?: piped_start(source, fault) ?:
	      check_qemu(source, fd, fault);
	close(fd);
	return err;
}

/* A libvirtd that is not there would leave the guest stopped in pre-switchover. */
static int check_libvirtd(struct source *source, struct fault *fault)
{
	struct pollfd end = { .fd = source->virt->libvirtd, .events = POLLIN };

	return poll(&end, 1, 0) > 0 ? fail(fault, "libvirtd is gone; the guest goes on") : 0;
}

int virt_switchover(struct source *source, struct fault *fault)
{
	return source_tell_switchover(source, fault) ?: check_libvirtd(source, fault) ?:
	       piped_flow(source, fault);
}

/* Both sides know that all RAM is there before anything of the devices goes. */
int virt_device_state(struct source *source, struct fault *fault)
{
	if (job_cancelled(source->job))
		return fail(fault, "cancelled");
	if (chan_send(&source->control, json_pack("{s:b}", "ram", 1), fault) ||
	    source_expect(source, "ram", SOURCE_ANSWER_MS, fault))
		return -1;
	stream_open_return(&source->stream);
	stream_open_gate(&source->stream);
	conduit_pass(&source->piped->conduit, RAMFILTER_STOPPED);
	return 0;
}

/* QEMU closes its end when it has completed, or has failed: the destination knows which. */
static int await_end(struct source *source, struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + SOURCE_LOAD_MS;

	while (!atomic_load(&source->piped->conduit.ended)) {
		if (job_cancelled(source->job) || chan_readable(&source->control, LOOK_MS))
			return source_why(source, fault);
		if (clock_ms() > deadline_ms)
			return fail(fault, "QEMU's migration does not end in %d s", SOURCE_LOAD_MS / 1000);
	}
	return 0;
}

int virt_hand_over(struct source *source, struct fault *fault)
{
	if (await_end(source, fault) ||
	    chan_send(&source->control, json_pack("{s:b}", "end", 1), fault) ||
	    source_expect(source, "loaded", SOURCE_ANSWER_MS, fault))
		return -1;
	source->stop_ns = 0;	/* it is not known here when the guest resumes */
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The source's side of a migration, as a list of stages.
 *
 * Up to the commit point every failure leads to source_undo(), after which the
 * guest runs here as before. The commit point is the sending of "commit": the
 * QEMU here has completed its migration by then and cannot resume by itself,
 * the QEMU there has loaded everything and stands still until it hears the
 * word. After it only the destination's own answer brings the guest back.
 */
#include <string.h>

#include "clock.h"
#include "hold.h"
#include "log.h"
#include "source.h"

struct stage {
	const char *name;
	int (*run)(struct source *source, struct fault *fault);
};

static const struct stage stages[] = {
	{ "connect", source_connect },
	{ "preflight", source_preflight },
	{ "prepare", source_prepare },
	{ "start", source_start },
	{ "precopy", source_precopy },
	{ "pre-switchover", source_switchover },
	{ "final-round", source_final },
	{ "device-state", source_device_state },
	{ "hand-over", source_hand_over },
	{ "ready", source_ready },
	{ "commit", source_commit },
};

#define STAGES (sizeof(stages) / sizeof(*stages))

/* Of a migration that QEMU began. */
static const struct stage piped_stages[STAGES] = {
	{ "connect", piped_connect },
	{ "preflight", piped_preflight },
	{ "prepare", piped_prepare },
	{ "start", source_start },
	{ "precopy", source_precopy },
	{ "pre-switchover", piped_switchover },
	{ "final-round", piped_final },
	{ "device-state", piped_device_state },
	{ "hand-over", piped_hand_over },
	{ "ready", source_ready },
	{ "commit", source_commit },
};

/* Of one that libvirt has QEMU begin. */
static const struct stage virt_stages[STAGES] = {
	{ "connect", virt_connect },
	{ "preflight", virt_preflight },
	{ "waiting", virt_wait },
	{ "offer", virt_offer },
	{ "prepare", virt_prepare },
	{ "start", source_start },
	{ "precopy", source_precopy },
	{ "pre-switchover", virt_switchover },
	{ "final-round", piped_final },
	{ "device-state", virt_device_state },
	{ "hand-over", virt_hand_over },
};

/* Of one that QEMU itself drives. */
static const struct stage native_stages[STAGES] = {
	{ "connect", native_connect },
	{ "preflight", source_preflight },
	{ "prepare", native_prepare },
	{ "start", source_start },
	{ "precopy", native_precopy },
	{ "final-round", native_final },
	{ "device-state", native_device_state },
	{ "hand-over", native_hand_over },
	{ "ready", source_ready },
	{ "commit", native_commit },
};

static const struct stage *stages_of(const struct source *source)
{
	if (source->virt)
		return virt_stages;
	if (source->native)
		return native_stages;
	return source->piped ? piped_stages : stages;
}

static int run_stages(struct source *source, size_t *at, struct fault *fault)
{
	const struct stage *stage = stages_of(source);
	size_t count = source->check ? 2 : STAGES;
	int err = 0;

	for (*at = 0; *at < count && stage[*at].run && !err; (*at)++) {
		source->stage_ns = clock_ns();
		job_phase(source->job, stage[*at].name);
		hold(stage[*at].name, source->job->stop_fd);
		err = stage[*at].run(source, fault);
		json_object_set_new(source->phases, stage[*at].name,
				    json_real((clock_ns() - source->stage_ns) / 1e6));
	}
	return err;
}

static void format_uri(const struct uri *uri, char *text, size_t bytes)
{
	snprintf(text, bytes, strchr(uri->host, ':') ? "rdmafast:[%s]:%u%s%s" : "rdmafast:%s:%u%s%s",
		 uri->host, uri->port, *uri->name ? "/" : "", uri->name);
}

void source_run(struct job *job, const struct source_order *order)
{
	struct source source = { .job = job, .uri = &order->uri,
				 .options = order->uri.options, .qmp_path = order->qmp,
				 .check = order->check,
				 .piped = order->piped ? piped_new(&order->pipes, job) : NULL,
				 .virt = *order->domain ? virt_new(order->domain) : NULL,
				 .native = order->native,
				 .checks = json_array(), .rounds = json_array(),
				 .phases = json_object(), .start_ns = clock_ns() };
	struct fault fault = { "" };
	char text[600];
	json_t *result;
	size_t at;
	int err;

	source.control.fd = -1;
	source.data.fd = -1;
	source.qmp.fd = -1;
	source.watch = (struct watch){ job->stop_fd, -1 };
	format_uri(source.uri, text, sizeof(text));
	text_to_utf8(text);
	job_set(job, "uri", json_string(text));
	err = run_stages(&source, &at, &fault);
	if (err && !source.committed)
		source_undo(&source, &fault);
	if (err) {
		result = source_failure(&source, &fault, stages_of(&source)[at - 1].name);
		log_warn("job %u: %s: %s", job->id, stages_of(&source)[at - 1].name, fault.text);
	} else if (order->check) {
		result = json_pack("{s:b,s:O}", "ok", 1, "checks", source.checks);
	} else {
		result = source_result(&source, text);
	}
	source_release(&source);
	job_end(job, result);
}

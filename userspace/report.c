// SPDX-License-Identifier: GPL-2.0-only
/* What a migration came to, as JSON. */
#include <string.h>

#include "clock.h"
#include "resume.h"
#include "source.h"

void source_note_round(struct source *source, const struct door_round *round)
{
	json_array_append_new(source->rounds, json_pack(
		"{s:i,s:I,s:I,s:I,s:I,s:I,s:f,s:I,s:I,s:I}", "number", (int)round->number,
		"pages", (json_int_t)round->pages, "bytes", (json_int_t)round->bytes,
		"hole_pages", (json_int_t)round->hole_pages,
		"zero_pages", (json_int_t)round->zero_pages,
		"kept_pages", (json_int_t)round->kept_pages, "ms", round->time_ns / 1e6,
		"protect_us", (json_int_t)(round->protect_ns / 1000),
		"wait_us", (json_int_t)(round->wait_ns / 1000),
		"dirty_pages", (json_int_t)round->dirty_pages));
}

json_t *source_result(struct source *source, const char *uri_text)
{
	const struct door_session *last = &source->last;
	double first_ms = json_real_value(json_object_get(json_array_get(source->rounds, 0), "ms"));
	json_int_t first = json_integer_value(json_object_get(json_array_get(source->rounds, 0),
							      "bytes"));

	return json_pack("{s:b,s:s,s:O,s:{s:I,s:I,s:I,s:I,s:I},s:{s:I,s:f},s:{s:f,s:f},s:O,s:f,s:f}",
			 "completed", 1, "uri", uri_text, "rounds", source->rounds,
			 "ram", "pages_sent", (json_int_t)last->sent_pages,
			 "bytes_sent", (json_int_t)last->sent_pages << 12,
			 "hole_pages", (json_int_t)last->hole_pages,
			 "zero_pages", (json_int_t)last->zero_pages,
			 "work_requests", (json_int_t)last->writes,
			 "pace", "bytes_s", (json_int_t)source->converge.pace,
			 "waited_ms", last->paced_ns / 1e6, "downtime_ms", "qemu", source->downtime_qemu_ms,
			 "window", source->stop_ns ?
			 (source->resumed_ns - source->stop_ns) / 1e6 : 0.0, "phases_ms", source->phases,
			 "total_ms", (clock_ns() - source->start_ns) / 1e6,
			 "bulk_mbps", first_ms > 0 ? first * 8 / first_ms / 1e3 : 0.0);
}

json_t *source_failure(struct source *source, const struct fault *fault, const char *phase)
{
	char status[32] = "unknown";

	if (source->virt)
		strcpy(status, source->virt->libvirtd < 0 ? "not touched" : "left to libvirt");
	else if (source->native)
		strcpy(status, "left to QEMU");
	else if (source->qmp.fd >= 0)
		resume_status(&source->qmp, status, sizeof(status));
	return json_pack("{s:b,s:s,s:s,s:s,s:O}", "completed", 0, "error", fault->text, "phase",
			 phase, "guest", source->committed ? "given away" : status, "checks",
			 source->checks);
}

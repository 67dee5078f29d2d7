// SPDX-License-Identifier: GPL-2.0-only
/* Who is to move where: our offer, the destination's answer to it, the stream. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "../rdma/path.h"
#include "preflight.h"
#include "source.h"

#define RESOLVE_MS 3000

int source_connect(struct source *source, struct fault *fault)
{
	if (qmp_open_inner(&source->qmp, source->qmp_path, NULL, fault) ||
	    guest_read(&source->guest, &source->qmp, fault) ||
	    door_open(&source->door, fault))
		return -1;
	if (!source->options.force)
		guest_read_nested(&source->guest, &source->qmp, "/proc/cpuinfo");
	source->was_running = !strcmp(guest_text(&source->guest, "status"), "running");
	job_set(source->job, "guest", json_string(guest_text(&source->guest, "name")));
	return source_call_peer(source, fault);
}

uint64_t source_present_bytes(const struct guest *guest)
{
	uint64_t bytes = 0;
	struct stat st;
	unsigned int i;

	for (i = 0; i < guest->regions; i++)
		if (!fstat(guest->region[i].fd, &st))
			bytes += (uint64_t)st.st_blocks * 512;
	return bytes;
}

static void text_addr(const struct sockaddr_storage *addr, char *text, size_t bytes)
{
	getnameinfo((const struct sockaddr *)addr, sizeof(*addr), text, bytes, NULL, 0,
		    NI_NUMERICHOST);
}

static int send_offer(struct source *source, struct fault *fault)
{
	json_t *facts = json_deep_copy(source->guest.facts), *info;
	struct sockaddr_storage rdma;
	char token[2 * VMFM_TOKEN_BYTES + 1], addr[NI_MAXHOST];

	if (door_info(&source->door, &info, fault)) {
		json_decref(facts);
		return -1;
	}
	if (getrandom(source->token, sizeof(source->token), 0) != sizeof(source->token))
		return json_decref(facts), json_decref(info),
		       fail(fault, "no randomness: %s", strerror(errno));
	hex_encode(source->token, sizeof(source->token), token);
	config_rdma_addr(&source->control, &rdma);
	text_addr(&rdma, addr, sizeof(addr));
	json_object_set_new(facts, "present_bytes", json_integer(source_present_bytes(&source->guest)));
	return chan_send(&source->control,
			 json_pack("{s:o,s:o,s:s,s:s,s:s,s:b,s:b,s:s*}", "offer", facts, "module", info,
				   "token", token, "rdma_addr", addr, "name",
				   *source->uri->name ? source->uri->name :
				   guest_text(&source->guest, "name"),
				   "paused", source->options.paused || !source->was_running,
				   "check", source->check, "libvirt",
				   source->virt ? source->virt->domain : NULL), fault);
}

/* From now on a daemon that starts again has nothing to ask the destination. */
static void settled(void *arg)
{
	struct source *source = arg;

	if (source->journaled)
		journal_remove(source->qmp.path);
}

static int take_ready(struct source *source, json_t *ready, struct fault *fault)
{
	const char *ticket = json_string_value(json_object_get(ready, "ticket"));
	const char *boot_id = json_string_value(json_object_get(ready, "boot_id"));
	json_int_t port = json_integer_value(json_object_get(ready, "rdma_port"));
	if (!ticket || strlen(ticket) != 32 || !boot_id || port < 1 || port > 65535)
		return fail(fault, "%s gave no ticket or no port to send RAM to",
			    source->control.peer);
	strcpy(source->ticket, ticket);
	snprintf(source->boot_id, sizeof(source->boot_id), "%s", boot_id);
	source->peer = (struct commit_peer){ .host = source->uri->host, .port = source->uri->port,
					     .ticket = source->ticket, .boot_id = source->boot_id,
					     .settled = settled, .arg = source };
	((struct sockaddr_in *)&source->rdma)->sin_port = htons(port);
	return 0;
}

/* The sink's address, and whether RDMA gets there. */
static int check_path(struct source *source, json_t *answer, struct fault *fault)
{
	const char *addr = json_string_value(json_object_get(answer, "rdma_addr"));
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *found;
	char device[64], detail[192];
	struct fault why;
	int err;

	if (!addr || getaddrinfo(addr, NULL, &hints, &found))
		return fail(fault, "%s gave no address to send RAM to", source->control.peer);
	memcpy(&source->rdma, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	err = rdma_path_resolve(&config.rdma_addr, &source->rdma, RESOLVE_MS, device, &why);
	snprintf(detail, sizeof(detail), "source: %s reaches %.48s", err ? "" : device, addr);
	preflight_note(source->checks, "rdma", err, &why, detail);
	return 0;
}

int source_preflight(struct source *source, struct fault *fault)
{
	struct fault local;
	json_t *answer, *error;
	int err;

	preflight_source(source->checks, source->guest.facts);
	if (preflight_verdict(source->checks, &local) && !source->check)
		return fail(fault, "%s", local.text);
	if (send_offer(source, fault) ||
	    chan_receive(&source->control, SOURCE_ANSWER_MS, &answer, fault))
		return -1;
	json_array_extend(source->checks, json_object_get(answer, "checks"));
	error = json_object_get(answer, "error");
	if (error)
		err = fail(fault, "%s", json_string_value(error) ?: "?");
	else
		err = check_path(source, answer, fault) ?: preflight_verdict(source->checks, fault);
	if (!err && !source->check)
		err = take_ready(source, answer, fault);
	json_decref(answer);
	return err;
}

/* A data connection of its own for QEMU's stream: the control connection stays free. */
int source_open_data(struct source *source, struct fault *fault)
{
	return chan_connect(&source->data, source->uri->host, source->uri->port, &config.creds, fault) ?:
	       chan_send(&source->data, json_pack("{s:i,s:s,s:s}", "protocol", PROTOCOL_VERSION,
						  "purpose", "stream", "ticket", source->ticket), fault);
}

int source_keep_settings(struct source *source, struct fault *fault)
{
	source->settings = journal_settings(&source->qmp);
	if (!source->settings && guest_read_settings(&source->qmp, &source->settings, fault))
		return -1;
	return source_write_journal(source, false, fault);
}

int source_prepare(struct source *source, struct fault *fault)
{
	return source_open_data(source, fault) ?: source_keep_settings(source, fault) ?:
	       guest_change_settings(&source->qmp, source->options.downtime_ms,
				     source->settings, fault);
}

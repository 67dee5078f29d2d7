// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"
#include "rdma/probe.h"

static void tell_address(const json_t *address)
{
	const char *netdev = text_of(address, "netdev");

	cmd_say(stdout, "    %s  %s%s%s", text_of(address, "address"), text_of(address, "type"),
		*netdev ? "  on " : "", netdev);
}

static void tell_port(const json_t *port)
{
	json_t *address, *addresses = json_object_get(port, "addresses");
	size_t i;

	cmd_say(stdout, "  port %lld  %s, %s, MTU %lld, %.4g Gb/s", (long long)int_of(port, "port"),
		text_of(port, "state"), text_of(port, "link_layer"),
		(long long)int_of(port, "active_mtu"),
		json_number_value(json_object_get(port, "speed_gbps")));
	json_array_foreach(addresses, i, address)
		tell_address(address);
}

static void tell_limits(const json_t *device)
{
	if (!json_object_get(device, "max_qp"))
		return;
	cmd_say(stdout, "  limits  max_qp %lld, max_qp_wr %lld, max_sge %lld, max_mr %lld, max_cqe %lld",
		(long long)int_of(device, "max_qp"), (long long)int_of(device, "max_qp_wr"),
		(long long)int_of(device, "max_sge"), (long long)int_of(device, "max_mr"),
		(long long)int_of(device, "max_cqe"));
	cmd_say(stdout, "  fast registration  %s",
		json_is_true(json_object_get(device, "fast_registration")) ? "yes" : "no");
}

static void tell_device(const json_t *device)
{
	json_t *port, *ports = json_object_get(device, "ports");
	const char *why = text_of(device, "why");
	size_t i;

	cmd_say(stdout, "%s  %s, firmware %s: %s%s", text_of(device, "device"),
		text_of(device, "transport"), text_of(device, "firmware"),
		*why ? "NOT usable: " : "usable", why);
	tell_limits(device);
	json_array_foreach(ports, i, port)
		tell_port(port);
}

static int tell(const struct cmd_args *args, json_t *devices)
{
	struct fault fault = { "" };
	bool usable = probe_usable(devices, &fault);
	json_t *object = json_pack("{s:b,s:O,s:s}", "ok", usable, "devices", devices, "error",
				   fault.text), *device;
	size_t i;

	if (usable)
		json_object_del(object, "error");
	cmd_put_json(args, object);
	json_decref(object);
	if (!args->json)
		json_array_foreach(devices, i, device)
			tell_device(device);
	fflush(stdout);
	if (!usable)
		cmd_say(stderr, "vmfastmig: %s", fault.text);
	return usable ? CMD_OK : CMD_FAILED;
}

int cmd_probe(int argc, char **argv)
{
	struct cmd_args args;
	struct fault fault;
	json_t *devices;
	int status = cmd_args_parse(&args, argc, argv, 0);

	if (!status && probe_devices(&devices, &fault)) {
		cmd_say_error(&args, fault.text);
		status = CMD_FAILED;
	} else if (!status) {
		status = tell(&args, devices);
		json_decref(devices);
	}
	cmd_args_free(&args);
	return status;
}

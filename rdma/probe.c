// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <infiniband/verbs.h>
#include <net/if.h>
#include <string.h>

#include "probe.h"

#define GIDS_MAX 256

static const char *link_layer_name(uint8_t link_layer)
{
	switch (link_layer) {
	case IBV_LINK_LAYER_INFINIBAND:
		return "InfiniBand";
	case IBV_LINK_LAYER_ETHERNET:
		return "Ethernet";
	default:
		return "unspecified";
	}
}

static const char *state_name(enum ibv_port_state state)
{
	static const char *const names[] = {
		[IBV_PORT_NOP] = "nop", [IBV_PORT_DOWN] = "down", [IBV_PORT_INIT] = "init",
		[IBV_PORT_ARMED] = "armed", [IBV_PORT_ACTIVE] = "active",
		[IBV_PORT_ACTIVE_DEFER] = "active-defer",
	};

	return state <= IBV_PORT_ACTIVE_DEFER ? names[state] : "unknown";
}

static const char *gid_type_name(uint32_t type)
{
	switch (type) {
	case IBV_GID_TYPE_IB:
		return "IB";
	case IBV_GID_TYPE_ROCE_V1:
		return "RoCE v1";
	case IBV_GID_TYPE_ROCE_V2:
		return "RoCE v2";
	default:
		return "unknown";
	}
}

/* Both fields are codes of the InfiniBand specification; 0 where one is unknown. */
static double speed_gbps(uint8_t speed, uint8_t width)
{
	static const struct {
		uint8_t code;
		double value;
	} lanes[] = { { 1, 1 }, { 2, 4 }, { 4, 8 }, { 8, 12 }, { 16, 2 } },
	  rates[] = { { 1, 2.5 }, { 2, 5 }, { 4, 10 }, { 8, 10 }, { 16, 14 }, { 32, 25 },
		      { 64, 50 }, { 128, 100 } };
	double lane = 0, rate = 0;
	size_t i;

	for (i = 0; i < sizeof(lanes) / sizeof(*lanes); i++)
		lane = lanes[i].code == width ? lanes[i].value : lane;
	for (i = 0; i < sizeof(rates) / sizeof(*rates); i++)
		rate = rates[i].code == speed ? rates[i].value : rate;
	return lane * rate;
}

static json_t *gid_json(const struct ibv_gid_entry *entry)
{
	char address[INET6_ADDRSTRLEN] = "", netdev[IF_NAMESIZE] = "";
	const struct in6_addr *gid = (const struct in6_addr *)entry->gid.raw;

	if (IN6_IS_ADDR_V4MAPPED(gid))
		inet_ntop(AF_INET, &gid->s6_addr[12], address, sizeof(address));
	else
		inet_ntop(AF_INET6, gid, address, sizeof(address));
	if (entry->ndev_ifindex)
		if_indextoname(entry->ndev_ifindex, netdev);
	return json_pack("{s:s,s:s,s:s}", "address", address, "netdev", netdev, "type",
			 gid_type_name(entry->gid_type));
}

static json_t *addresses_json(struct ibv_context *context, unsigned int port)
{
	struct ibv_gid_entry entries[GIDS_MAX];
	ssize_t count = ibv_query_gid_table(context, entries, GIDS_MAX, 0), i;
	json_t *addresses = json_array();

	for (i = 0; i < count; i++)
		if (entries[i].port_num == port)
			json_array_append_new(addresses, gid_json(&entries[i]));
	return addresses;
}

static json_t *port_json(struct ibv_context *context, unsigned int port)
{
	struct ibv_port_attr attr;

	if (ibv_query_port(context, port, &attr))
		return NULL;
	return json_pack("{s:i,s:s,s:s,s:i,s:f,s:o}", "port", port,
			 "state", state_name(attr.state), "link_layer",
			 link_layer_name(attr.link_layer), "active_mtu", 128 << attr.active_mtu,
			 "speed_gbps", speed_gbps(attr.active_speed, attr.active_width),
			 "addresses", addresses_json(context, port));
}

static json_t *ports_json(struct ibv_context *context, unsigned int count)
{
	json_t *ports = json_array(), *one;
	unsigned int port;

	for (port = 1; port <= count; port++) {
		one = port_json(context, port);
		if (one)
			json_array_append_new(ports, one);
	}
	return ports;
}

static const char *transport_name(enum ibv_transport_type transport, const json_t *ports)
{
	const json_t *layer = json_object_get(json_array_get(ports, 0), "link_layer");

	switch (transport) {
	case IBV_TRANSPORT_IB:
		return layer && !strcmp(json_string_value(layer), "Ethernet") ? "RoCE" :
		       "InfiniBand";
	case IBV_TRANSPORT_IWARP:
		return "iWARP";
	default:
		return "other";
	}
}

static bool has_active(const json_t *ports)
{
	json_t *port;
	size_t i;

	json_array_foreach(ports, i, port)
		if (!strcmp(json_string_value(json_object_get(port, "state")), "active"))
			return true;
	return false;
}

/* Empty: it is usable. */
static const char *why_not(const struct ibv_device_attr *attr, const json_t *ports)
{
	if (!(attr->device_cap_flags & IBV_DEVICE_MEM_MGT_EXTENSIONS))
		return "its driver has no fast registration: use another device";
	if (!has_active(ports))
		return "no port is active: bring its link up (ip link set NETDEV up), look at the cable";
	return "";
}

static json_t *unopened_json(struct ibv_device *device, const char *why)
{
	char text[128];

	snprintf(text, sizeof(text), "cannot open it: %s", why);
	return json_pack("{s:s,s:s,s:b,s:s,s:[]}", "device", ibv_get_device_name(device),
			 "transport", transport_name(device->transport_type, NULL), "usable", 0, "why",
			 text, "ports");
}

static json_t *device_json(struct ibv_device *device)
{
	struct ibv_context *context = ibv_open_device(device);
	struct ibv_device_attr attr;
	json_t *object, *ports;
	const char *why;
	int err;

	if (!context)
		return unopened_json(device, strerror(errno));
	err = ibv_query_device(context, &attr);
	if (err) {
		ibv_close_device(context);
		return unopened_json(device, strerror(err));
	}
	ports = ports_json(context, attr.phys_port_cnt);
	why = why_not(&attr, ports);
	object = json_pack("{s:s,s:s,s:s,s:b,s:b,s:s,s:i,s:i,s:i,s:i,s:I,s:i,s:o}",
			   "device", ibv_get_device_name(device),
			   "transport", transport_name(device->transport_type, ports),
			   "firmware", attr.fw_ver, "fast_registration",
			   !!(attr.device_cap_flags & IBV_DEVICE_MEM_MGT_EXTENSIONS),
			   "usable", !*why, "why", why, "max_qp", attr.max_qp,
			   "max_qp_wr", attr.max_qp_wr, "max_sge", attr.max_sge,
			   "max_mr", attr.max_mr,
			   "max_mr_bytes", (json_int_t)(attr.max_mr_size > INT64_MAX ?
							INT64_MAX : attr.max_mr_size),
			   "max_cqe", attr.max_cqe, "ports", ports);
	ibv_close_device(context);
	return object;
}

int probe_devices(json_t **devices, struct fault *fault)
{
	int i, count = 0;
	struct ibv_device **list = ibv_get_device_list(&count);

	/* Without ib_uverbs there is no list; that is the same as an empty one. */
	if (!list && errno != ENOSYS && errno != ENOENT)
		return fail(fault, "libibverbs cannot list devices: %s", strerror(errno));
	*devices = json_array();
	for (i = 0; list && i < count; i++)
		json_array_append_new(*devices, device_json(list[i]));
	if (list)
		ibv_free_device_list(list);
	return 0;
}

/* The kernel has devices even where user space cannot open them. */
static bool kernel_has_device(void)
{
	DIR *dir = opendir("/sys/class/infiniband");
	struct dirent *entry;
	bool found = false;

	while (dir && (entry = readdir(dir)))
		found = found || entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return found;
}

bool probe_usable(const json_t *devices, struct fault *fault)
{
	json_t *device;
	size_t i;

	json_array_foreach(devices, i, device)
		if (json_is_true(json_object_get(device, "usable")))
			return true;
	if (json_array_size(devices))
		fail(fault, "no RDMA device is usable: see why above, or: rdma link add rxe0 type rxe netdev ETH");
	else if (kernel_has_device())
		fail(fault, "the kernel has RDMA devices, but user space does not see them: modprobe ib_uverbs");
	else
		fail(fault, "no RDMA device: load the driver of the network card (mlx5_ib, irdma, ...), or, over any Ethernet: rdma link add rxe0 type rxe netdev ETH");
	return false;
}

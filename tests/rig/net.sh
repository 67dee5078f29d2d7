# shellcheck shell=bash disable=SC2153
# The rig's own network namespace:
#
#   bridge   network        in each host                     in the namespace
#   ctl      10.77.0.0/24   eth0  .N   commands              .254
#   mig      10.77.1.0/24   eth1  .N   migration, rxe0,      .254
#            fd77::/64            ::N  9000-byte frames
#   lan      10.77.2.0/24   eth2  in br-lan (.240+N)         .254, the client
#
# A tap per host and network, ctl-a, mig-a, lan-a.

RIG_NETS="ctl mig lan"

in_net() {
	ip netns exec "$RIG_NETNS" "$@"
}

net_ip() {
	ip -n "$RIG_NETNS" "$@"
}

net_mtu() {
	[ "$1" = mig ] && echo 9000 || echo 1500
}

net_bridge_up() {
	local net=$1 index=$2
	net_ip link add "br-$net" type bridge stp_state 0 forward_delay 0 mcast_snooping 0
	net_ip link set "br-$net" mtu "$(net_mtu "$net")" up
	net_ip addr add "10.77.$index.254/24" dev "br-$net"
}

net_up() {
	local net index=0
	ip netns add "$RIG_NETNS" || die "cannot make a network namespace: are you root?"
	net_ip link set lo up
	in_net sysctl -qw net.ipv6.conf.default.accept_dad=0
	for net in $RIG_NETS; do
		net_bridge_up "$net" "$index" || die "cannot make bridge br-$net"
		index=$((index + 1))
	done
}

net_down() {
	ip netns list 2>/dev/null | cut -d ' ' -f 1 | grep -qx "$RIG_NETNS" || return 0
	ip netns pids "$RIG_NETNS" 2>/dev/null | xargs -r kill -9 2>/dev/null
	ip netns del "$RIG_NETNS"
}

# Makes the host's taps where they are missing.
net_plug() {
	local host=$1 net
	for net in $RIG_NETS; do
		net_ip link show "$net-$host" >/dev/null 2>&1 && continue
		in_net ip tuntap add "$net-$host" mode tap vnet_hdr || return
		net_ip link set "$net-$host" master "br-$net" mtu "$(net_mtu "$net")"
	done
	for net in $RIG_NETS; do
		net_ip link set "$net-$host" up
	done
}

# net_mac NET HOST
net_mac() {
	local index
	case $1 in
	ctl) index=0 ;;
	mig) index=1 ;;
	lan) index=2 ;;
	esac
	printf '02:77:00:00:%02x:%02x\n' "$index" "$(host_number "$2")"
}

# QEMU's arguments for the host's network cards.
net_qemu_args() {
	local host=$1 net
	for net in $RIG_NETS; do
		echo "-netdev tap,id=$net,ifname=$net-$host,script=no,downscript=no,vhost=off"
		echo "-device virtio-net-pci,netdev=$net,id=nic-$net,mac=$(net_mac "$net" "$host"),romfile=,host_mtu=$(net_mtu "$net"),speed=10000,duplex=full"
	done
}

# The tap goes down first, so that not one frame passes from then on; then the
# host's card learns that it has no carrier.
net_cable() {
	local host=$1 state=$2 up=false
	case $state in
	off) net_ip link set "mig-$host" down || return ;;
	on) up=true ;;
	*) die "usage: rig cable HOST off|on" ;;
	esac
	host_qmp "$host" "{\"execute\":\"set_link\",\"arguments\":{\"name\":\"nic-mig\",\"up\":$up}}" >/dev/null ||
		die "host $host does not take the cable: is it alive? ('rig status')"
	[ "$state" = off ] || net_ip link set "mig-$host" up
}

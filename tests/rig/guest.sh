# shellcheck shell=bash
# KVM guests on the hosts. A guest's name gives it its card's address, its UUID
# and its IP address, the same on every host. One that is OF another has those of
# the other, and its RAM: a second QEMU for it on the same host.

guest_crc() {
	printf '%s' "$1" | cksum | cut -d ' ' -f 1
}

guest_mac() {
	printf '52:54:00:%02x:%02x:%02x\n' $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255))
}

guest_uuid() {
	printf '766d666d-0000-4000-8000-0000%08x\n' "$1"
}

# The last byte of the IP address, 10 to 209: the first free one from where the
# name points to, kept as long as the rig is up.
guest_number() {
	local name=$1 dir=$RIG_STATE/guests n
	[[ $name =~ ^[A-Za-z0-9._-]+$ ]] || die "bad guest name '$name'"
	mkdir -p "$dir"
	(
		flock 8
		if [ ! -f "$dir/$name" ]; then
			n=$(($(guest_crc "$name") % 200 + 10))
			while grep -qsx "$n" "$dir"/*; do
				n=$((n < 209 ? n + 1 : 10))
			done
			echo "$n" >"$dir/$name"
		fi
		cat "$dir/$name"
	) 8>>"$RIG_STATE/guests.lock"
}

guest_address() {
	local number
	number=$(guest_number "$1") || exit 1
	echo "10.77.2.$number"
}

# Our guest ends when its kernel panics. Others may take panic= for a wish not to wait
# for anybody, as Debian's initrd does.
guest_kernel_line() {
	local ours=
	[ -n "$GUEST_KERNEL" ] || ours='panic=-1 oops=panic '
	echo "console=ttyS0 quiet ${ours}no_timer_check i8042.nokbd i8042.noaux tsc=reliable" \
		"cryptomgr.notests random.trust_cpu=on mitigations=off net.ifnames=0" \
		"vmfm.ip=$(guest_address "$OF")/24 $GUEST_ARGS"
}

guest_initrd() {
	local path
	path=$(image_guest_path "$GUEST_KVER" "$GUEST_NESTED")
	if [ ! -f "$path" ] || [ "$RIG_BIN/guest" -nt "$path" ]; then
		image_guest "$GUEST_KVER" "$GUEST_NESTED" || exit 1
	fi
	echo "$path"
}

# A host's shell lines that set the guest up and start its QEMU.
guest_script() {
	local tap=tap-$1 run=/run/rig/$NAME
	cat <<-END
		set -e
		if [ -r $run.pid ] && kill -0 \$(cat $run.pid) 2>/dev/null; then
			echo "guest $NAME runs here already" >&2
			exit 1
		fi
		rm -f $run.pid $run.qmp $run.qmp2 $run.console $run.qemu.log
		ip link show $tap >/dev/null 2>&1 || ip tuntap add $tap mode tap vnet_hdr
		ip link set $tap master br-lan up
		$([ -z "$GUEST_VHOST" ] || echo modprobe vhost_net)
		exec $(printf '%q ' "${GUEST_QEMU[@]}") >$run.log 2>&1
	END
}

guest_start() {
	local number args
	HOST=$1 NAME=$2
	shift 2
	settings_load
	guest_parse "$@"
	number=$(guest_number "$NAME") || exit 1
	guest_command "$number" || exit 1
	guest_script "$number" >"$RIG_STATE/guests.$NAME.sh"
	args=$(command_exec "$HOST" 60 0 sh "$RIG_STATE/guests.$NAME.sh" 2>&1) && return
	[ -z "$args" ] || note "$args"
	command_exec "$HOST" 10 0 cat "/run/rig/$NAME.log" >&2
	die "guest $NAME does not start on host $HOST"
}

# guest_words NAME [OPTION...]: the command line that start would give its QEMU on host a,
# a word a line.
guest_words() {
	local number
	HOST=a NAME=$1
	shift
	settings_load
	guest_parse "$@"
	number=$(guest_number "$NAME") || exit 1
	guest_command "$number" || exit 1
	printf '%s\n' "${GUEST_QEMU[@]}"
}

guest_stop() {
	local host=$1 name=$2
	command_exec "$host" 30 0 sh -c "
		pid=\$(cat /run/rig/$name.pid 2>/dev/null) || exit 0
		kill \$pid 2>/dev/null || exit 0
		n=0
		while kill -0 \$pid 2>/dev/null; do
			n=\$((n + 1))
			[ \$n -ne 50 ] || kill -9 \$pid
			[ \$n -ne 100 ] || exit 1
			sleep 0.1
		done
		rm -f /run/rig/$name.pid" || die "guest $name does not stop on host $host"
}

guest_qmp() {
	command_run "$1" --timeout 30 -- "$RIG_BIN/qmp" "/run/rig/$2.qmp2" "$3"
}

# guest_ask NAME REQUEST: on standard output what the guest's program answers.
guest_ask() {
	local address reply n
	address=$(guest_address "$1") || exit 1
	for n in 1 2 3 4 5; do
		reply=$(in_net bash -c 'exec 3<>"/dev/udp/$1/7000" && echo "$2" >&3 &&
			timeout 1 head -n 1 <&3' - "$address" "$2" 2>/dev/null)
		[ -z "$reply" ] || break
		sleep 0.2
	done
	[ -n "$reply" ] || {
		note "guest $1 ($address) does not answer, asked $n times"
		return 1
	}
	echo "$reply"
}

# guest_wait HOST NAME [S]
guest_wait() {
	local host=$1 name=$2 limit=${3:-60} deadline
	deadline=$((SECONDS + limit))
	while [ $SECONDS -lt $deadline ]; do
		guest_ask "$name" status 2>/dev/null | grep -q '"ready":true' && return
		host_pid "$host" >/dev/null || die "host $host died under guest $name"
		sleep 0.2
	done
	note "guest $name is not ready after $limit s; its console:"
	command_exec "$host" 10 0 tail -n 20 "/run/rig/$name.console" "/run/rig/$name.log" >&2
	return 1
}

guest_logs() {
	local host=$1 to=$2 file
	for file in $(command_exec "$host" 10 0 sh -c 'ls /run/rig | grep -E "console|log$"'); do
		command_exec "$host" 10 0 cat "/run/rig/$file" >"$to/host-$host.guest-$file"
	done
}

guest_verb() {
	local verb=${1:-} need=2
	shift
	case $verb in
	status | address | words) need=1 ;;
	qmp) need=3 ;;
	esac
	[ $# -ge $need ] || usage
	case $verb in
	start | stop | wait | qmp | ask | address | words) "guest_$verb" "$@" ;;
	status) guest_ask "$1" status ;;
	console) command_run "$1" cat "/run/rig/$2.console" ;;
	*) usage ;;
	esac
}

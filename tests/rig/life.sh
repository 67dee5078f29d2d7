# shellcheck shell=bash disable=SC2034
# The rig's life: up, start, kill, status, down.

life_parse_up() {
	HOSTS="a b" KVER=${KVER:-} BOOT='' MODROOT='' MEM=3G CPUS=1 LIMIT=3h BOOT_LIMIT=60 WAIT=0 SHARED='' NUMA=1
	while [ $# -gt 0 ]; do
		[ $# -ge 2 ] || die "up: $1 needs a value"
		case $1 in
		--hosts) HOSTS=$2 ;;
		--kver) KVER=$2 ;;
		--boot) BOOT=$(realpath "$2") ;;
		--modroot) MODROOT=$(realpath "$2") ;;
		--mem) MEM=$2 ;;
		--cpus) CPUS=$2 ;;
		--shared) SHARED=$2 ;;
		--numa) NUMA=$2 ;;
		--limit) LIMIT=$2 ;;
		--boot-limit) BOOT_LIMIT=$2 ;;
		--wait) WAIT=$2 ;;
		*) die "up: unknown option $1" ;;
		esac
		shift 2
	done
	[ -n "$KVER" ] || KVER=$(life_newest_kernel)
}

# 6.1 is what everything is tried on first.
life_newest_kernel() {
	local found
	found=$(find /boot -name 'vmlinuz-6.1.*' -printf '%f\n' | sort -V | tail -n 1)
	[ -n "$found" ] || found=$(find /boot -name 'vmlinuz-*' -printf '%f\n' | sort -V | tail -n 1)
	[ -n "$found" ] || die "no kernel in /boot: run $RIG_SRC/deps.sh"
	echo "${found#vmlinuz-}"
}

# 3h, 90m or plain seconds.
life_limit_s() {
	case $LIMIT in
	*h) echo $((${LIMIT%h} * 3600)) ;;
	*m) echo $((${LIMIT%m} * 60)) ;;
	*) echo "${LIMIT%s}" ;;
	esac
}

life_up() {
	local host start
	life_parse_up "$@"
	LIMIT=$(life_limit_s)
	mkdir -p "$RIG_STATE"
	lock_take "$WAIT" "$LIMIT"
	trap 'life_down >/dev/null 2>&1' EXIT
	life_stop_hosts
	net_down
	rm -rf "$RIG_STATE"/host-? "$RIG_STATE"/host-*.cpio.gz "$RIG_STATE/guests" "$RIG_STATE/settings" \
		"$RIG_SHARED"
	program_build_all || exit 1
	life_disk || exit 1
	for host in $HOSTS; do
		host_image "$host" || exit 1
	done
	net_up || exit 1
	settings_save
	start=$(date +%s%N)
	for host in $HOSTS; do
		host_launch "$host" || exit 1
	done
	for host in $HOSTS; do
		host_ready "$host" || exit 1
		host_report "$host" "$start"
	done
	trap - EXIT
}

life_start() {
	[ $# -ge 1 ] || die "usage: rig start HOST..."
	settings_load
	for host in "$@"; do
		host_boot "$host" || exit 1
	done
}

life_kill() {
	[ $# -ge 1 ] || die "usage: rig kill HOST..."
	settings_load
	for host in "$@"; do
		host_kill "$host"
	done
}

life_console() {
	cat "$(host_dir "$1")/console.log"
}

# life_logs DIR
life_logs() {
	local host
	[ $# -eq 1 ] || die "usage: rig logs DIR"
	settings_load
	mkdir -p "$1" || exit 1
	for host in $(hosts_known); do
		cp "$(host_dir "$host")/console.log" "$1/host-$host.console.log"
		cp "$(host_dir "$host")/qemu.log" "$1/host-$host.qemu.log"
		host_pid "$host" >/dev/null || continue
		command_run "$host" --timeout 30 dmesg >"$1/host-$host.dmesg.log" 2>/dev/null
		guest_logs "$host" "$1"
	done
}

life_status() {
	local host pid
	if ! lock_keeper_pid >/dev/null; then
		echo "rig down"
		return 1
	fi
	echo "rig up: $(lock_owner)"
	lock_is_ours || return 1
	settings_load
	for host in $(hosts_known); do
		if ! pid=$(host_pid "$host"); then
			echo "host $host dead"
		elif host_answers "$host"; then
			echo "host $host up, pid $pid, $(control_address "$host")"
		else
			echo "host $host hung, pid $pid"
		fi
	done
}

life_stop_hosts() {
	local host
	for host in $(hosts_known); do
		host_kill "$host"
	done
}

life_down() {
	if [ -d "$RIG_RUN" ] && ! lock_is_ours; then
		note "the rig that is up is not of $RIG_STATE but: $(lock_owner)"
		return 0
	fi
	life_stop_hosts
	net_down
	rm -f "$RIG_STATE/settings" "$RIG_SHARED"
	lock_release
}

# The stamped disk that all hosts share, as /dev/vda.
life_disk() {
	[ "$RIG_DISK" -nt "$RIG_BIN/stampdisk" ] && return
	"$RIG_BIN/stampdisk" "$RIG_DISK" 64 || die "cannot write $RIG_DISK"
}

# shellcheck shell=bash
# The emulated hosts: one QEMU each.

host_pid() {
	local pid
	pid=$(cat "$(host_dir "$1")/pid" 2>/dev/null) || return 1
	grep -qs "vmfm-host-$1" "/proc/$pid/cmdline" && echo "$pid"
}

hosts_known() {
	local dir
	for dir in "$RIG_STATE"/host-?; do
		[ -d "$dir" ] && echo "${dir##*-}"
	done
}

host_qmp() {
	"$RIG_BIN/qmp" "$RIG_RUN/$1.qmp" "$2"
}

# KVM underneath only where the processor shows the real thing.
host_is_emulated() {
	! grep -qwE 'svm|vmx' /proc/cpuinfo || [ ! -w /dev/kvm ]
}

host_kver() {
	host_pick "$1" "$KVER"
}

host_kernel() {
	echo "${BOOT:-/boot/vmlinuz-$(host_kver "$1")}"
}

# What it boots; hosts may share it.
host_image() {
	local release kernel
	release=$(host_kver "$1")
	kernel=$(host_kernel "$1")
	[ -r "$kernel" ] || die "no kernel $kernel: install linux-image-$release or give --kver or --boot"
	[ -f "$RIG_STATE/host-$release.cpio.gz" ] || image_host "$release" || exit 1
	kernel_unpack "$kernel" >/dev/null
}

host_accel_args() {
	if ! host_is_emulated; then
		echo "-accel kvm -cpu host"
	else
		echo "-accel tcg,thread=multi,tb-size=512 -cpu EPYC,+svm"
	fi
}

host_kernel_line() {
	local host=$1 modules='' clock=''
	[ -z "$MODROOT" ] || modules="rig.modules=$MODROOT/lib/modules"
	! host_is_emulated || clock=tsc_early_khz=$("$RIG_BIN/tsckhz")
	echo "console=ttyS0 loglevel=7 panic=-1 oops=panic tsc=reliable $clock no_timer_check" \
		"cryptomgr.notests random.trust_cpu=on net.ifnames=0 mitigations=off" \
		"rig.name=$host rig.number=$(host_number "$host") rig.repo=$RIG_REPO" \
		"rig.state=$RIG_STATE rig.bin=$RIG_BIN rig.init=$RIG_SRC/host/init $modules"
}

host_share_args() {
	local tag=$1 path=$2 options=$3
	echo "-fsdev local,id=$tag,path=$path,security_model=none,multidevs=remap$options"
	echo "-device virtio-9p-pci,fsdev=$tag,mount_tag=$tag"
}

host_disk_args() {
	echo "-drive file=$RIG_DISK,if=none,id=disk,format=raw,cache=writeback,file.locking=off"
	echo "-device virtio-blk-pci,drive=disk,serial=rig,share-rw=on"
}

# As many nodes, each with its part of the memory. The CPUs go round.
host_numa_args() {
	local node cpu list
	[ "$NUMA" -gt 1 ] || return 0
	echo "-smp sockets=$CPUS"
	for ((node = 0; node < NUMA; node++)); do
		list=''
		for ((cpu = node; cpu < CPUS; cpu += NUMA)); do
			list+=,cpus=$cpu
		done
		echo "-object memory-backend-ram,id=node$node,size=$(($(numfmt --from=iec "$MEM") / NUMA))"
		echo "-numa node,nodeid=$node,memdev=node$node$list"
	done
}

# Memory that all hosts have: a card's, since no host may take it for its own.
host_shared_args() {
	[ -n "$SHARED" ] || return 0
	echo "-object memory-backend-file,id=shared,size=$SHARED,mem-path=$RIG_SHARED,share=on"
	echo "-device ivshmem-plain,memdev=shared,addr=$RIG_SHARED_SLOT"
}

host_launch() {
	local host=$1 dir args
	dir=$(host_dir "$host")
	mkdir -p "$dir"
	net_plug "$host" || die "cannot make the taps of host $host"
	mapfile -t args < <({
		host_accel_args
		net_qemu_args "$host"
		host_share_args root / ,readonly=on
		host_share_args repo "$RIG_REPO" ,readonly=on
		host_share_args state "$RIG_STATE" ""
		host_disk_args
		host_shared_args
		host_numa_args
	} | tr ' ' '\n')
	rm -f "$RIG_RUN/$host.qmp" "$dir/pid"
	setsid timeout -k 5 "$LIMIT" ip netns exec "$RIG_NETNS" qemu-system-x86_64 \
		-name "vmfm-host-$host" -machine pc -m "$MEM" -smp "$CPUS" "${args[@]}" \
		-nodefaults -display none -vga none -no-reboot -pidfile "$dir/pid" \
		-chardev "file,id=console,path=$dir/console.log,append=on" -serial chardev:console \
		-qmp "unix:$RIG_RUN/$host.qmp,server=on,wait=off" \
		-kernel "$(kernel_unpack "$(host_kernel "$host")")" \
		-initrd "$RIG_STATE/host-$(host_kver "$host").cpio.gz" \
		-append "$(host_kernel_line "$host")" \
		</dev/null >"$dir/qemu.log" 2>&1 9>&- &
}

host_answers() {
	"$RIG_BIN/command" "$RIG_NETNS" "$(control_address "$1")" 5 1 0 true 2>/dev/null
}

# host_await HOST LIMIT_S: 0 once it answers, 1 when it died or never did.
host_await() {
	local host=$1 deadline=$((SECONDS + $2))
	while [ $SECONDS -lt $deadline ]; do
		host_answers "$host" && return 0
		[ $SECONDS -lt $((deadline - $2 + 5)) ] || host_pid "$host" >/dev/null || return 1
		sleep 0.2
	done
	return 1
}

host_console_tail() {
	echo "--- console of host $1, last ${2:-25} lines" >&2
	tail -n "${2:-25}" "$(host_dir "$1")/console.log" >&2
	tail -n 5 "$(host_dir "$1")/qemu.log" >&2
	echo "---" >&2
}

# Waits for a launched host. An emulated one locks up now and then while it
# boots, so it gets a second chance.
host_ready() {
	local host=$1
	host_await "$host" "$BOOT_LIMIT" && return
	note "host $host did not come up in $BOOT_LIMIT s: once more"
	host_console_tail "$host" 8
	host_kill "$host"
	host_launch "$host"
	host_await "$host" "$BOOT_LIMIT" && return
	host_console_tail "$host"
	host_kill "$host"
	die "host $host does not boot; whole console: $(host_dir "$host")/console.log"
}

host_boot() {
	local host=$1 start
	start=$(date +%s%N)
	host_pid "$host" >/dev/null && die "host $host runs already"
	host_image "$host"
	host_launch "$host"
	host_ready "$host"
	host_report "$host" "$start"
}

host_report() {
	printf 'host %s up, kernel %s, %s s\n' "$1" "$(host_kver "$1")" \
		"$(jq -n "($(date +%s%N) - $2) / 1e8 | floor / 10")"
}

# Power loss.
host_kill() {
	local pid n
	pid=$(host_pid "$1") || return 0
	kill -9 "$pid"
	for n in {1..50}; do
		host_pid "$1" >/dev/null || return 0
		sleep 0.1
	done
	die "QEMU of host $1 (pid $pid) does not die after $n tries"
}

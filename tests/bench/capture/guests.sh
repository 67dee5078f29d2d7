# shellcheck shell=bash disable=SC2154 # set by run
# Measurements on KVM guests: one that works for itself, and one whose writes are seen.

GUEST_RAM=256M THROUGHPUT=64M TRACKED_WS=8M BANDWIDTH=2M BULK_BANDWIDTH=8M

forget_guest() {
	guest_off cap a
	on a sh -c "rm -f $TMPFS/cap /run/rig/cap.log"
}

# As KVM and QEMU's page table have it mapped. The log is made when QEMU is started, and
# ready is the last line on the guest's console.
guest_mappings() {
	on a sh -ec '
		at() { stat -c %.9Y "$1" | tr -d . | cut -c 1-16; }	# us
		of_kvm() { cat /sys/kernel/debug/kvm/*-*/"$1"; }
		pmd() { awk "/^(FilePmdMapped|ShmemPmdMapped|Shared_Hugetlb|Private_Hugetlb):/ { n += \$2 }
			END { print int(n / 1024) }" "/proc/$(cat /run/rig/cap.pid)/smaps"; }
		grep -q "ready" /run/rig/cap.console
		echo "{\"boot_ms\": $((($(at /run/rig/cap.console) - $(at /run/rig/cap.log)) / 1000)),
			\"kvm_2m_mib\": $(($(of_kvm pages_2m) * 2)), \"kvm_4k_mib\": $(($(of_kvm pages_4k) / 256)),
			\"pmd_mapped_mib\": $(pmd)}"'
}

guest_throughput() {
	local n
	"$rig" guest ask cap "throughput $THROUGHPUT $1" >/dev/null
	for n in {1..300}; do
		[ "$(guest_fact cap throughput.running)" != false ] || break
		sleep 0.2
	done
	[ "$n" -lt 300 ] || die "the guest does not end to measure its memory"
	guest_fact cap 'throughput | del(.running)'
}

measure_guest() { # MEMDEV
	memdev "$1"
	forget_guest
	guest_on a cap --ram $GUEST_RAM --dirty 0 --check 0 --ws 8M --cold 8M --memdev "$MEMDEV"
	local throughput
	throughput=$(guest_throughput "$COURSE_MS")
	sample_add "$(jq -nc --arg case "$1" '{part: "guest", case: $case, values: ([inputs] | add)}' \
		<<<"$(guest_mappings) $throughput")"
	forget_guest
}

# The guest's work, and who had the host's CPUs, since they were booted.
snapshot() { # THREAD
	local guest host n
	for n in 1 2 3; do
		guest=$(guest_fact cap ' | {writes, uptime_ms}') || continue
		host=$(on a sh -ec '
			echo "{\"host_ms\": $(($(date +%s%N) / 1000000)),
				\"idle_ms\": $(awk "/^cpu / { print (\$5 + \$6) * 10 }" /proc/stat),
				\"faults\": $(cat /sys/kernel/debug/kvm/*-*/pf_taken),
				\"vcpu_ms\": $(awk "{ print (\$14 + \$15) * 10 }" /proc/*/task/'"$1"'/stat)}"')
		jq -nc '[inputs] | add' <<<"$guest $host"
		return
	done
	die "the guest does not answer, asked $n times over"
}

# What was between two of them.
between() { # PREFIX FROM TO
	jq -nc --arg prefix "$1" --argjson cpus "$CPUS" '[inputs] | . as [$a, $b] | ($b.host_ms - $a.host_ms) as $ms | {
		pages_s: (($b.writes - $a.writes) * 1000 / ($b.uptime_ms - $a.uptime_ms) | round),
		faults_s: (($b.faults - $a.faults) * 1000 / $ms | round),
		vcpu_permille: (($b.vcpu_ms - $a.vcpu_ms) * 1000 / $ms | round),
		others_permille: (($cpus * $ms - $b.idle_ms + $a.idle_ms - $b.vcpu_ms + $a.vcpu_ms) * 1000 / $ms | round)} |
		with_entries(.key |= $prefix + .)' <<<"$2 $3"
}

watch_guest() { # PREFIX THREAD
	local from to
	from=$(snapshot "$2") || exit
	sleep "$WATCH_S"
	to=$(snapshot "$2") || exit
	between "$1" "$from" "$to"
}

cap_qmp() { # COMMAND [ARGUMENTS]
	"$rig" guest qmp a cap "{\"execute\":\"$1\"${2:+,\"arguments\":$2}}"
}

wait_for() { # WHAT COMMAND...
	local what=$1 n
	shift
	for n in {1..300}; do
		! "$@" || return 0
		sleep 0.2
	done
	die "$what: not after $n looks"
}

track_by_module() {
	on a sh -c "VMFM_ADDR=10.77.1.1 setsid -f $capture guest /dev/vmfastmig/cap $BANDWIDTH \
		</dev/null >/run/capture.out 2>&1; sleep 0.2; pidof capture >/run/capture.pid"
	wait_for "rounds of the module" on a grep -q steady /run/capture.out
}

# Goes nowhere, and comes to no end as long as the guest dirties more than is sent in 1
# ms. So that it does on a busy machine, too, the first pass is not too fast, and the host
# itself looks for its end.
track_by_qemu() {
	on a sh -ec '
		qmp() { '"$rig_state/bin/qmp"' /run/rig/cap.qmp2 "$1"; }
		limit() { qmp "{\"execute\":\"migrate-set-parameters\",\"arguments\":{\"max-bandwidth\":$1,\"downtime-limit\":1}}"; }
		limit "$1" && qmp "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"exec:cat >/dev/null\"}}"
		until qmp "{\"execute\":\"query-migrate\"}" |
			grep -qE "dirty-sync-count\": ([2-9]|[1-9][0-9])|\": \"(completed|failed)"; do
			sleep 0.05
		done
		limit "$2"' - "$(numfmt --from=iec $BULK_BANDWIDTH)" "$(numfmt --from=iec $BANDWIDTH)" >/dev/null
	still_tracked track_by_qemu
}

still_tracked() {
	case $1 in
	track_by_module) on a sh -c 'kill -0 $(cat /run/capture.pid)' ;;
	*) [ "$(cap_qmp query-migrate | jq -r .return.status)" = active ] ;;
	esac || die "tracking ended by itself: $(on a cat /run/capture.out) $(cap_qmp query-migrate)"
}

untrack() {
	case $1 in
	track_by_module) on a sh -c 'kill $(cat /run/capture.pid)' ;;
	*) cap_qmp migrate_cancel >/dev/null ;;
	esac
}

measure_tracked() { # MEMDEV
	local thread values tracker=track_by_qemu
	[ "$1" != vmfastmig ] || tracker=track_by_module
	memdev "$1"
	forget_guest
	guest_on a cap --ram $GUEST_RAM --dirty max --check 0 --ws $TRACKED_WS --cold 8M --memdev "$MEMDEV"
	thread=$(cap_qmp query-cpus-fast | jq '.return[0]["thread-id"]')
	sleep 2
	values=$(watch_guest before_ "$thread")
	$tracker
	values+=$(watch_guest during_ "$thread")
	still_tracked $tracker
	untrack $tracker
	sleep 2
	values+=$(watch_guest after_ "$thread")
	guest_is_sound cap
	sample_add "$(jq -nc --arg case "$1" '[inputs] | add | 
		.kept_permille = (.during_pages_s * 2000 / (.before_pages_s + .after_pages_s) | round) |
		.kept_by_vcpu_permille = (.kept_permille * (.before_vcpu_permille + .after_vcpu_permille) /
			(2 * .during_vcpu_permille) | round) |
		{part: "tracked", case: $case, values: .}' <<<"$values")"
	forget_guest
}

# shellcheck shell=bash disable=SC2154 # set by tests/run
# Guests moving between the emulated hosts a and b. Sourced by tests/run.

# Whether an emulated host locked up, as they do now and then, and not in our code.
locked_up() { # STATUS
	local trouble
	[ "$1" -ne 70 ] || return 0
	trouble=$(cat "${VMFM_RIG_DIR:-$rig_state}"/host-*/console.log 2>/dev/null |
		grep -A 60 -E 'soft lockup|hard LOCKUP|rcu_[a-z]+ (self-)?detected') || return 1
	! grep -q '\[vmfastmig\]' <<<"$trouble"
}

# A lock-up is no verdict: once more, on fresh hosts.
scenario() { # SECONDS NAME [ARG...]
	local seconds=$1 name status
	shift
	name=$(tr ' ' '-' <<<"$*")
	timeout --kill-after=20 "$seconds" "tests/migrate/$1" "${@:2}" >"$out/$name.log" 2>&1 </dev/null
	status=$?
	if [ $status -eq 0 ]; then
		tell pass "$name"
		return
	fi
	"$rig" logs "$out/$name.evidence" >/dev/null 2>&1
	if locked_up $status; then
		echo "# $name: an emulated host locked up; once more on fresh ones"
		"$rig" down
		check "$name" "$seconds" "tests/migrate/$1" "${@:2}" && return
	else
		tell_failed "$name" "exit $status"
	fi
	"$rig" down
}

migrate_down() {
	check "migrate-hosts${VMFM_RIG_NAME:+-$VMFM_RIG_NAME}-down" 60 "$rig" down
}

# What measures times runs by itself. Then the long ones first: no lane is to be left
# alone with one at the end.
migrate_suite() {
	local one list=()
	check migrate-build 600 make -s modules userspace KVER="$KVER" || return
	lanes_down
	scenario 400 downtime
	for one in cancel daemon-a daemon-b qemu-b cable host-b; do
		list+=("900 failures $one")
	done
	list+=("900 back-and-forth" "900 libvirt" "900 libvirt-failures")
	for one in exec monitor dirty-above refusals lossy-link "disk-reads slow native" \
		"disk-reads slow io_uring" "disk-reads fast native" "disk-reads fast io_uring" balloon \
		sparse-guest several-backends two-vcpus idle dirty-below; do
		list+=("400 $one")
	done
	lanes_each scenario migrate_down "${list[@]}"
}

migrate_suite

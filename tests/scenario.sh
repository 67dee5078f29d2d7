# shellcheck shell=bash disable=SC2154 # set by tests/run
# Scenarios of tests/migrate/ as tests that count. Sourced by tests/run.

# Whether an emulated host locked up, as they do now and then, and not in our code.
locked_up() { # STATUS
	local trouble
	[ "$1" -ne 70 ] || return 0
	trouble=$(cat "${VMFM_RIG_DIR:-$rig_state}"/host-*/console.log 2>/dev/null |
		grep -A 60 -E 'soft lockup|hard LOCKUP|rcu_[a-z]+ (self-)?detected') || return 1
	! grep -q '\[vmfastmig\]' <<<"$trouble"
}

scenario_name() { # NAME [ARG...]
	echo "$(tr ' ' '-' <<<"$*")${CELL:+@$CELL}"
}

# A lock-up is no verdict: once more, on fresh hosts. CELL is where, in the test's name.
scenario() { # SECONDS NAME [ARG...]
	local seconds=$1 name status
	shift
	name=$(scenario_name "$@")
	timeout --kill-after=20 "$seconds" "tests/migrate/$1" "${@:2}" >"$out/$name.log" 2>&1 </dev/null
	status=$?
	case $status in
	0)
		tell pass "$name"
		return
		;;
	4)
		tell skip "$name" "$(tail -n 1 "$out/$name.log")"
		return
		;;
	esac
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

qemu_version() { # NAME, of rig qemu: as 7.2
	"$("$rig" qemu "$1")" --version | grep -oE 'version [0-9]+\.[0-9]+' | cut -d ' ' -f 2
}

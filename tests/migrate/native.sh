# shellcheck shell=bash disable=SC2154 # set by scene.sh
# Migrations that a QEMU with the patches of userspace/qemu/ makes itself, told by QMP
# alone. Sourced after scene.sh.

SKIP=4
[[ "${QEMU:-}" == /* ]] || {
	echo "needs QEMU=\$(userspace/qemu/build)"
	exit $SKIP
}

# ask HOST COMMAND [ARGUMENTS]: on standard output its answer, an error, too.
ask() {
	local said
	said=$("$rig" guest qmp "$1" vm "{\"execute\":\"$2\",\"arguments\":${3:-{\}}}" 2>&1) || true
	jq -c 'select(has("return") or has("error"))' <<<"$said" || say "not understood: $said"
}

asked() { # as ask, and it must work
	local answer
	answer=$(ask "$@")
	[ "$(jq -c 'has("return")' <<<"$answer")" = true ] || die "$2 on $1 is answered: $answer"
}

set_limits() { # HOST ARGUMENTS
	asked "$1" migrate-set-parameters "$2"
}

# It waits from its command line on.
native_awaited() { # HOST [OPTION...]
	local host=$1
	shift
	"$rig" guest start "$host" vm --extra "-incoming rdmafast:0 ${objects:-}" "$@" >&2 || exit 1
	on "$host" "$vmfastmig" status --json |
		jq -e '.migrations[] | select(.guest == "vm" and .phase == "waiting")' >/dev/null ||
		die "the daemon on $host does not know of the QEMU that waits"
}

native_migrate() { # FROM TO [?OPTIONS]
	asked "$1" migrate "{\"uri\":\"rdmafast:$(host_of "$2")${3:-}\"}"
}

native_fact() { # HOST JQ
	ask "$1" query-migrate | jq -r ".return | $2"
}

native_ends() { # HOST STATUS [LOOKS]
	local n status
	for ((n = 0; n < ${3:-300}; n++)); do
		status=$(native_fact "$1" .status 2>/dev/null) || status=
		case $status in
		completed | failed | cancelled) break ;;
		esac
		sleep 0.1
	done
	[ "$status" = "$2" ] ||
		die "the migration is ${status:-not to be heard of}, not $2: $(ask "$1" query-migrate)"
}

# All of RAM is there and nothing of the devices is when the daemon comes to device-state.
native_compared() { # FROM TO
	on "$1" sh -c 'echo device-state >/run/vmfastmigd.hold'
	native_migrate "$1" "$2"
	comes_up_to "$1" device-state
	pages_are_same "$1" "$2" vm
	move_on "$1"
	native_ends "$1" completed
}

not_running() { # HOST
	case $(guest_state "$1" vm) in
	running) die "the guest runs on both" ;;
	esac
}

becomes_gone() { # HOST: its QEMU exits by itself
	local n
	for n in {1..100}; do
		[ "$(guest_state "$1" vm)" != gone ] || return 0
		sleep 0.2
	done
	die "the QEMU on host $1 is still there after $n looks"
}

# shellcheck shell=bash
# Commands on the hosts.

# command_run HOST [-i] [--timeout S] [--] CMD...
command_run() {
	local host=$1 limit=600 input=0 status
	host_number "$host" >/dev/null || exit 1
	shift
	while [ $# -gt 0 ]; do
		case $1 in
		-i) input=1 ;;
		--timeout)
			limit=$2
			shift
			;;
		--)
			shift
			break
			;;
		*) break ;;
		esac
		shift
	done
	[ $# -gt 0 ] || die "usage: rig run HOST [-i] [--timeout S] [--] CMD..."
	[ $# -gt 1 ] || set -- sh -c "$1"
	command_exec "$host" "$limit" "$input" "$@"
	status=$?
	[ "$status" -ne "$EXIT_DEAD" ] || command_lost "$host"
	return $status
}

command_exec() {
	local host=$1 limit=$2 input=$3
	shift 3
	"$RIG_BIN/command" "$RIG_NETNS" "$(control_address "$host")" "$limit" 5 "$input" "$@"
}

command_lost() {
	if host_pid "$1" >/dev/null; then
		note "host $1 hangs: it did not answer the command server"
	else
		note "host $1 is dead ('rig start $1' boots it again)"
	fi
	[ -r "$(host_dir "$1")/console.log" ] && host_console_tail "$1"
}

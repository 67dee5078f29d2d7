# shellcheck shell=bash disable=SC2154 # set by tests/run
# Lanes: as many rigs as the machine carries, each with a shell of its own, which take
# their work from one list. Sourced by tests/run.

# What a rig may come to take. Its hosts seldom use more than one processor between
# them, so a second rig is worth its memory.
LANE_MIB=7168

lanes_fit() {
	local mib
	mib=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
	if [ "$(nproc)" -ge 2 ] && [ "$mib" -ge $((2 * LANE_MIB)) ]; then
		echo 2
	else
		echo 1
	fi
}

RIGS=${RIGS:-$(lanes_fit)}
rig_state=${VMFM_RIG_DIR:-$top/build/rig}
rig_name=${VMFM_RIG_NAME:-}

# The first lane's rig is the one that one has by hand.
lane_enter() { # NUMBER
	[ "$1" -gt 1 ] || return 0
	export VMFM_RIG_NAME=${rig_name:+$rig_name-}$1 VMFM_RIG_DIR=$rig_state-$1
}

# In each of the first N lanes, side by side: COMMAND. Its end is awaited.
lanes() { # N COMMAND...
	local n=$1 lane
	shift
	trap lanes_stop INT TERM
	for ((lane = 1; lane <= n; lane++)); do
		(lane_enter "$lane" && "$@") &
	done
	wait
	trap - INT TERM
}

# An interrupt does not reach what runs in the background.
lanes_stop() {
	# shellcheck disable=SC2046 # numbers
	kill $(jobs -p) $(jobs -p | xargs -rn 1 pgrep -P) 2>/dev/null
	lanes_down
	exit 130
}

# Nothing is up after this, whatever was.
lanes_down() {
	local lane
	for lane in 1 2; do
		(lane_enter $lane && "$rig" down >/dev/null 2>&1)
	done
}

# lanes_each FUNCTION END LINE...: FUNCTION with the words of each line, in whichever lane
# is free; END, last, in each lane.
lanes_each() {
	local run=$1 end=$2 n=$RIGS
	shift 2
	[ "$n" -le $# ] || n=$#
	exec 8< <(printf '%s\n' "$@")
	lanes "$n" lane_work "$run" "$end"
	exec 8<&-
}

lane_work() { # FUNCTION END
	local words
	while words=$(lane_next); do
		# shellcheck disable=SC2086
		"$1" $words 8<&-
	done
	"$2"
}

# One reader at a time, or each would have half of a line.
lane_next() {
	local line
	flock 9
	read -r -u 8 line && echo "$line"
} 9>"$out/list.lock"

# shellcheck shell=bash disable=SC2034 # variables for those who source it
# What the migration scenarios are told with: hosts, daemons, guests, moves,
# verdicts. A scenario sources this file, plays, and exits 0 when all was well.
#
#   set -eu; . "$(dirname "$0")/scene.sh"
#   scene_hosts
#   guest_on a vm --dirty 4M && guest_awaited b vm --dirty 4M
#   move a b vm downtime=500
#   guest_lives b vm
#   scene_end
#
# Status 70 means that an emulated host died by itself: no verdict.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
rig=$top/tests/rig/rig
rig_state=${VMFM_RIG_DIR:-$top/build/rig}
scratch=$top/build/migrate${VMFM_RIG_NAME:+/$VMFM_RIG_NAME}
vmfastmig=$top/build/userspace/vmfastmig
daemon=$top/build/userspace/vmfastmigd
EXIT_DEAD=70
mkdir -p "$scratch"

say() {
	printf '%s  %s\n' "$(date +%T)" "$*" >&2
}

die() {
	say "FAILED: $*"
	scene_evidence
	exit 1
}

# What the scenario left behind, for its log.
scene_evidence() {
	local host
	for host in a b; do
		# shellcheck disable=SC2016 # the host's hostname
		"$rig" run "$host" --timeout 20 -- sh -c \
			'echo "--- daemon of $(hostname)"; tail -n 15 /run/vmfastmigd.log; dmesg | tail -n 5
			tail -n 5 /run/rig/*.qemu.log' >&2 ||
			true
	done
}

on() {
	local host=$1 status=0
	shift
	"$rig" run "$host" --timeout "${ON_TIMEOUT:-120}" -- "$@" || status=$?
	[ $status -ne $EXIT_DEAD ] || exit $EXIT_DEAD
	return $status
}

fails_saying() { # TEXT COMMAND...
	local words=$1 said
	shift
	if said=$("$@" 2>&1); then
		die "not refused: $*"
	fi
	[[ "$said" == *"$words"* ]] || die "$* said: $said; not: $words"
	say "ok: ${said##*$'\n'}"
}

host_of() { # b: hostB
	echo "host$(tr a-h A-H <<<"$1")"
}

# Hosts a and b with the module and a daemon each; what is up already is kept.
scene_hosts() {
	local host
	"$rig" status >/dev/null 2>&1 || "$top/tests/suites/hosts-up" >&2
	"$rig" logmark
	for host in a b; do
		scene_host "$host"
	done
}

# One host after its boot, or at any time.
scene_host() {
	local host=$1
	"$rig" status | grep -q "^host $host up" || "$rig" start "$host" >&2
	on "$host" grep -q ' /dev/vmfastmig ' /proc/mounts || on "$host" sh -c "
		modprobe -a rdma_cm ib_uverbs rdma_ucm && insmod $top/build/kmod/\$(uname -r)/vmfastmig.ko &&
		mkdir -p /dev/vmfastmig && mount -t vmfastmig none /dev/vmfastmig"
	daemon_on "$host"
}

# daemon_on HOST [ENV=VALUE...]: starts it where none runs.
daemon_on() {
	local host=$1
	shift
	on "$host" sh -c "
		pidof vmfastmigd >/dev/null && exit 0
		[ -f /run/vmfastmig.psk ] || (umask 077
			echo migration:6f1c6f0b7c3f42f08d9ad9a4a7d6b5c3e2f1a0b9c8d7e6f5a4b3c2d1e0f1a2b3 >/run/vmfastmig.psk)
		setsid -f env VMFASTMIGD_HOLD=/run/vmfastmigd.hold $* $daemon --psk-file /run/vmfastmig.psk </dev/null >>/run/vmfastmigd.log 2>&1
		n=0
		while ! $vmfastmig status >/dev/null 2>&1; do
			n=\$((n + 1))
			[ \$n -lt 100 ] || { tail /run/vmfastmigd.log; exit 1; }
			sleep 0.1
		done"
}

# daemon_off HOST [SIGNAL]: by KILL nothing is told to anybody.
daemon_off() {
	on "$1" sh -c "
		pid=\$(pidof vmfastmigd) || exit 0
		kill -${2:-KILL} \$pid
		n=0
		while kill -0 \$pid 2>/dev/null; do
			n=\$((n + 1))
			[ \$n -lt 300 ] || exit 1
			sleep 0.1
		done"
}

guest_on() { # HOST NAME [OPTION...]
	local host=$1 name=$2
	"$rig" guest start "$@" >&2 || exit 1
	"$rig" guest wait "$host" "$name" 120 >&2 || exit 1
}

# A QEMU that waits for its guest, known to the daemon there.
guest_awaited() { # HOST NAME [OPTION...]
	local host=$1 name=$2
	"$rig" guest start "$@" --incoming >&2 || exit 1
	on "$host" "$vmfastmig" incoming --detach --qmp "/run/rig/$name.qmp" rdmafast:0 >&2
}

guest_off() { # NAME [HOST...]
	local name=$1 host
	shift
	[ $# -gt 0 ] || set -- a b
	for host in "$@"; do
		"$rig" guest stop "$host" "$name" >&2 || true
		on "$host" sh -c "rm -f /dev/vmfastmig/$name /dev/vmfastmig/$name-*" || true
	done
}

# move FROM TO NAME [OPTION=VALUE...]: the result is in $scratch/result.json.
# Status 1 when the migration failed.
move() {
	local from=$1 to=$2 name=$3 options
	shift 3
	options=$(IFS='&' && echo "$*")
	ON_TIMEOUT=${MOVE_TIMEOUT:-240} on "$from" "$vmfastmig" migrate --json \
		--qmp "/run/rig/$name.qmp" "rdmafast:$(host_of "$to")${options:+?$options}" \
		>"$scratch/result.json"
}

# Starts a move in the background and waits until it has come to that phase:
# a stage's name, "bulk" (in the first round) or "late" (in a later one).
move_up_to() { # PHASE FROM TO NAME [OPTION=VALUE...]
	local phase=$1 from=$2 to=$3 name=$4 n
	shift 4
	on "$from" sh -c "echo $phase >/run/vmfastmigd.hold"
	move "$from" "$to" "$name" "$@" &
	mover=$!
	for n in {1..200}; do
		! reached "$from" "$phase" || return 0
		kill -0 "$mover" 2>/dev/null || die "the migration ended before $phase: $(result .error)"
		sleep 0.2
	done
	die "the migration did not come to $phase in $n looks"
}

# The same of a migration that somebody else began.
comes_up_to() { # HOST PHASE
	local n
	for n in {1..100}; do
		! reached "$1" "$2" || return 0
		sleep 0.2
	done
	die "the migration did not come to $2 in $n looks"
}

# The daemon there has no migration in hand any more.
jobs_end() { # HOST LOOKS
	local n
	for ((n = 0; n < $2; n++)); do
		[ "$(on "$1" "$vmfastmig" status --json | jq -c .migrations)" != '[]' ] || return 0
		sleep 0.2
	done
	die "the daemon on host $1 is not done after $n looks"
}

reached() { # HOST PHASE
	local want='.phase == $phase'
	case $2 in
	bulk) want='.phase == "precopy" and .progress.sent_bytes > 0' ;;
	late) want='.phase == "precopy" and .progress.round >= 2' ;;
	esac
	on "$1" "$vmfastmig" status --json |
		jq -e --arg phase "$2" ".migrations[] | select(.role == \"source\") | $want" >/dev/null
}

# Lets go of what move_up_to() held.
move_on() { # FROM
	on "$1" rm -f /run/vmfastmigd.hold
}

# The end of the move in the background, as move() answers it.
move_ended() {
	wait "$mover"
}

result() {
	jq -r "$1" "$scratch/result.json"
}

# perftest over the link that migrations take; on standard output the average in Mb/s.
link_mbps() { # SERVER CLIENT
	on "$1" sh -c 'setsid -f timeout 60 ib_write_bw -R -d rxe0 -n 400 >/dev/null 2>&1'
	sleep 1
	on "$2" timeout 60 ib_write_bw -R -d rxe0 -n 400 --report_gbits "$(host_of "$1")" |
		awk '$1 == 65536 { print $4 * 1000 }'
}

# In a word: running, paused, postmigrate, inmigrate, or gone.
guest_state() { # HOST NAME
	local answer
	answer=$("$rig" guest qmp "$1" "$2" '{"execute":"query-status"}' 2>/dev/null) || true
	answer=$(jq -r '.return.status // empty' <<<"$answer" 2>/dev/null | tail -n 1)
	echo "${answer:-gone}"
}

guest_is() { # HOST NAME STATE...
	local host=$1 name=$2 state
	shift 2
	state=$(guest_state "$host" "$name")
	case " $* " in
	*" $state "*) ;;
	*) die "guest $name on host $host is $state, not $*" ;;
	esac
}

# Of its QEMU's migration, those that we change: capabilities that are on, parameters.
guest_settings() { # HOST NAME
	"$rig" guest qmp "$1" "$2" '{"execute":"query-migrate-capabilities"}' |
		jq -c '.return | arrays | map(select(.state).capability)'
	"$rig" guest qmp "$1" "$2" '{"execute":"query-migrate-parameters"}' |
		jq -c '.return | select(."max-bandwidth") | [."max-bandwidth", ."downtime-limit"]'
}

settings_are_back() { # HOST NAME AS-THEY-WERE
	local n now
	for n in {1..100}; do
		now=$(guest_settings "$1" "$2")
		[ "$now" != "$3" ] || return 0
		sleep 0.2
	done
	die "the QEMU of guest $2 on host $1 has these migration settings: $now; before: $3"
}

guest_fact() { # NAME KEY
	local answer
	answer=$("$rig" guest status "$1" 2>/dev/null) || return
	jq ".$2" <<<"$answer"
}

# It runs there, its program answers, and it found all its pages right after now: it
# goes over them in turn, so as many as there are, and the one in hand, are all.
guest_lives() { # HOST NAME
	local host=$1 name=$2 facts until ticks now n
	guest_is "$host" "$name" running
	facts=$("$rig" guest status "$name") || die "guest $name does not answer"
	until=$(jq '.pages_checked + .pages + 1' <<<"$facts")
	ticks=$(jq .ticks <<<"$facts")
	for n in {1..240}; do
		now=$(guest_fact "$name" pages_checked) || now=0	# it may be busy
		[ "$now" -lt "$until" ] || break
		sleep 0.2
	done
	[ "$now" -ge "$until" ] ||
		die "guest $name does not answer, or did not check all its pages in $n looks"
	[ "$(guest_fact "$name" ticks)" -gt "$ticks" ] || die "guest $name: its clock does not tick"
	guest_is_sound "$name"
}

guest_is_sound() {
	local errors
	errors=$(guest_fact "$1" 'errors + .disk_errors') || die "guest $1 does not answer"
	[ "$errors" = 0 ] || {
		"$rig" guest status "$1" >&2
		die "guest $1 found $errors wrong pages or sectors"
	}
}

# A move that stands still once all RAM has arrived, for every page of the guest's
# FILES to be compared. (Later pages may differ: KVM itself writes the guest's wall
# clock page while the destination loads.)
move_compared() { # FROM TO NAME [OPTION=VALUE...]
	move_up_to device-state "$@"
	pages_are_same "$1" "$2" "${FILES:-$3}"
	move_on "$1"
	move_ended
}

pages_are_same() { # FROM TO FILES
	local file
	for file in $3; do
		ram_files_are_same "$1" "/dev/vmfastmig/$file" "$2" "/dev/vmfastmig/$file"
	done
}

ram_files_are_same() { # FROM FILE TO FILE
	on "$1" sh -c "$rig_state/bin/pagesum $2 >$rig_state/$1.sums"
	on "$3" sh -c "$rig_state/bin/pagesum $4 >$rig_state/$3.sums"
	"$rig_state/bin/pagesum" -c "$rig_state/$1.sums" "$rig_state/$3.sums" \
		>"$scratch/pages.json" || true
	say "$2: $(cat "$scratch/pages.json")"
	jq -e '.pages > 0 and .different == 0' "$scratch/pages.json" >/dev/null ||
		die "$2: pages differ"
}

# No session, no key, no job, no socket is left on the hosts. What they say is read
# here: jq takes half a second there.
nothing_left() { # [HOST...]
	local host
	[ $# -gt 0 ] || set -- a b
	for host in "$@"; do
		nothing_left_on "$host"
	done
}

# A destination tidies up once its guest has run for a moment.
nothing_left_on() { # HOST
	local host=$1 left n
	for n in {1..20}; do
		left=$(on "$host" sh -c "$vmfastmig status --json; $vmfastmig regions --json
			for socket in /run/vmfastmig/*source* /run/vmfastmig/*sink*; do
				[ ! -e \"\$socket\" ] || echo \"\\\"\$socket\\\"\"
			done")
		[ "$(jq -cs '[.[0].migrations, [.[1].regions[] | select(.session)], .[2:]]' <<<"$left")" != \
			"[[],[],[]]" ] || return 0
		sleep 0.2
	done
	die "host $host has something left, after $n looks: $left"
}

# The last word of a scenario: the kernels had nothing to complain of.
scene_end() {
	"$rig" logcheck >&2 || die "a kernel complained"
}
